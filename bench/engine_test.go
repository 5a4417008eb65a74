package bench

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// each runs a benchmark for every bundle and object.
func each(b *testing.B, run func(b *testing.B, s *engine.Snapshot, on *subject)) {
	b.Helper()
	all := bundles(b)
	on := subjects(b)
	for i := range all {
		for j := range on {
			b.Run("bundle="+all[i].name+"/object="+on[j].name, func(b *testing.B) {
				b.ReportAllocs()
				run(b, all[i].snapshot, &on[j])
			})
		}
	}
}

// BenchmarkValidate is the engine alone, on an object that is decoded already.
func BenchmarkValidate(b *testing.B) {
	each(b, func(b *testing.B, s *engine.Snapshot, on *subject) {
		req, in := on.admission(decode(b, on.raw)), inputs()
		for b.Loop() {
			for _, d := range s.Validate(context.Background(), req, in) {
				if d.Status == engine.Error {
					b.Fatalf("%s: %s", d.Rule.Name, d.Message)
				}
			}
		}
	})
}

// BenchmarkMutate is the engine alone, up to the patch.
func BenchmarkMutate(b *testing.B) {
	each(b, func(b *testing.B, s *engine.Snapshot, on *subject) {
		req, in := on.admission(decode(b, on.raw)), inputs()
		for b.Loop() {
			if _, err := s.Mutate(context.Background(), req, in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAudit is what a sweep pays for each object: all validate and mutate rules.
func BenchmarkAudit(b *testing.B) {
	each(b, func(b *testing.B, s *engine.Snapshot, on *subject) {
		req, in := on.rest(decode(b, on.raw)), inputs()
		for b.Loop() {
			if _, err := s.Audit(context.Background(), req, in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecodeAndValidate adds what a request costs before the engine sees it: the object's JSON.
func BenchmarkDecodeAndValidate(b *testing.B) {
	each(b, func(b *testing.B, s *engine.Snapshot, on *subject) {
		in := inputs()
		b.SetBytes(int64(len(on.raw)))
		for b.Loop() {
			s.Validate(context.Background(), on.admission(decode(b, on.raw)), in)
		}
	})
}

// BenchmarkDecode is the object's JSON alone, to be taken off the one above.
func BenchmarkDecode(b *testing.B) {
	for _, on := range subjects(b) {
		b.Run("object="+on.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(on.raw)))
			for b.Loop() {
				var object map[string]any
				if err := json.Unmarshal(on.raw, &object); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUnmatched is a request on a kind that no policy names: one look-up in the index.
func BenchmarkUnmatched(b *testing.B) {
	s := load(b, withOthers(1000))
	on := subjects(b)[0]
	on.kind.Kind = "Event"
	req, in := on.admission(decode(b, on.raw)), inputs()
	b.ReportAllocs()
	for b.Loop() {
		s.Validate(context.Background(), req, in)
	}
}

// BenchmarkLoad is everything from the text of the policies to a snapshot.
func BenchmarkLoad(b *testing.B) {
	for name, src := range map[string]bundle.Sources{"shipped": shipped(), "shipped+1000": withOthers(1000)} {
		b.Run("bundle="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				load(b, src)
			}
		})
	}
}
