package number_test

import (
	"testing"

	"github.com/holdfast-io/holdfast/engine/number"
)

func TestFloat(t *testing.T) {
	for name, tc := range map[string]struct {
		v    any
		want float64
		ok   bool
	}{
		"a number of JSON":       {1.5, 1.5, true},
		"an integer of Go":       {3, 3, true},
		"a long integer of Go":   {int64(-4), -4, true},
		"text is no number":      {"1", 0, false},
		"a boolean is no number": {true, 0, false},
		"null is no number":      {nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := number.Float(tc.v); got != tc.want || ok != tc.ok {
				t.Errorf("Float(%v) = %v, %v, want %v, %v", tc.v, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestCanonicalLeavesOtherValuesAlone(t *testing.T) {
	for _, tc := range []struct{ v, want any }{{int64(2), 2.0}, {2, 2.0}, {2.5, 2.5}, {"2", "2"}, {nil, nil}, {true, true}} {
		if got := number.Canonical(tc.v); got != tc.want {
			t.Errorf("Canonical(%v) = %v, want %v", tc.v, got, tc.want)
		}
	}
}
