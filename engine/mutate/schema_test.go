package mutate

import "testing"

func BenchmarkNewSchema(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewSchema(); err != nil {
			b.Fatal(err)
		}
	}
}
