// Package bench measures the engine: the time and the allocations of one admission request, of one audit and
// of a load, with the shipped bundle, with many policies that have nothing to say, and with any policies that
// the caller names. Policies and objects flow in; numbers for benchstat come out. It holds benchmarks only,
// and never a test of what a verdict is.
package bench
