package enginetest

import "runtime"

// Heap collects garbage and gives the bytes that live, for benchmarks of what is kept.
func Heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
