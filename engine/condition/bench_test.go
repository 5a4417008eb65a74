package condition_test

import (
	"fmt"
	"testing"
)

func BenchmarkEvaluate(b *testing.B) {
	large := make(list, 200)
	for i := range large {
		large[i] = fmt.Sprintf("namespace-%d", i)
	}
	env := environment(object{
		"name": "namespace-150", "image": "registry.local/team/app:1.2.3", "memory": "512Mi", "replicas": 3.0, "age": "90m",
		"version": "1.27.3", "names": list{"namespace-1", "namespace-2"}, "allowed": list{"a", "b", "namespace-*"}, "labels": object{"a": "b"},
	})
	benchmarks := []struct {
		name string
		raw  any
	}{
		{"text equals text", list{one("{{ name }}", "Equals", "namespace-150")}},
		{"text equals a wildcard", list{one("{{ image }}", "Equals", "registry.local/*")}},
		{"text equals text, both dynamic", list{one("{{ name }}", "NotEquals", "{{ image }}")}},
		{"text in a list of 5", list{one("{{ name }}", "AnyIn", list{"a", "b", "c", "d", "e"})}},
		{"text in a list with wildcards", list{one("{{ name }}", "AnyIn", list{"kube-*", "*-system", "namespace-15?"})}},
		{"text in a list of 200", list{one("{{ name }}", "AnyNotIn", large)}},
		{"text in a dynamic list", list{one("{{ name }}", "AnyIn", "{{ allowed }}")}},
		{"list in a list of 200", list{one("{{ names }}", "AllIn", large)}},
		{"number in a range", list{one("{{ replicas }}", "AnyIn", "1-10")}},
		{"number in a list", list{one("{{ replicas }}", "AnyIn", list{1.0, 2.0, 3.0})}},
		{"number above a number", list{one("{{ replicas }}", "GreaterThan", 2.0)}},
		{"quantity above a quantity", list{one("{{ memory }}", "GreaterThan", "256Mi")}},
		{"duration above a duration", list{one("{{ age }}", "GreaterThan", "1h")}},
		{"version above a version", list{one("{{ version }}", "GreaterThan", "1.20.0")}},
		{"map equals a map", list{one("{{ labels }}", "Equals", object{"a": "b"})}},
		{"any and all of three", object{
			"any": list{one("{{ name }}", "Equals", "x"), one("{{ name }}", "AnyIn", list{"namespace-*"})},
			"all": list{one("{{ image }}", "NotEquals", "*:latest")},
		}},
	}
	for _, bm := range benchmarks {
		c := compile(b, bm.raw)
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Evaluate(env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
