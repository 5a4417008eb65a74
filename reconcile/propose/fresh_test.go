package propose

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

func TestWhatWasJustWrittenCountsUntilTheWatchTellsOfIt(t *testing.T) {
	written := &v1alpha1.Remediation{ObjectMeta: metav1.ObjectMeta{Name: "r", UID: "u", ResourceVersion: "10"}}
	written.Spec.Plan.Targets = []v1alpha1.Target{{Name: "a", Patch: "[]"}}
	for name, test := range map[string]struct {
		heard func(f *fresh)
		uid   string
		has   string // what the watch has told of
		fresh bool
	}{
		"the watch has an older one":     {func(*fresh) {}, "u", "9", true},
		"it has this one":                {func(*fresh) {}, "u", "10", false},
		"it has a newer one":             {func(*fresh) {}, "u", "11", false},
		"it has another of the name":     {func(*fresh) {}, "v", "9", false},
		"it has told of an older one":    {func(f *fresh) { f.heard("r", "u", "9") }, "u", "9", true},
		"it has told of this one":        {func(f *fresh) { f.heard("r", "u", "10") }, "u", "9", false},
		"it has told that it is gone":    {func(f *fresh) { f.gone("r") }, "u", "9", false},
		"its version cannot be compared": {func(*fresh) {}, "u", "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fresh{}
			f.wrote(written)
			test.heard(f)
			got := f.instead("r", types.UID(test.uid), test.has)
			if (got != nil) != test.fresh {
				t.Fatalf("got %v", got)
			}
			if got != nil && (got.Spec.Plan.Targets[0].Patch != "" || written.Spec.Plan.Targets[0].Patch == "") {
				t.Error("the patch is kept, or gone from what was written")
			}
		})
	}
}
