package bundle

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type embedded struct {
	Inlined string `json:"inlined"`
}

// sample has a field of each sort that policies have.
type sample struct {
	embedded
	Text       string                             `json:"text"`
	Flag       *bool                              `json:"flag"`
	Small      int32                              `json:"small"`
	Natural    uint8                              `json:"natural"`
	Real       float64                            `json:"real"`
	List       []string                           `json:"list"`
	Map        map[string]string                  `json:"map"`
	Bytes      []byte                             `json:"bytes"`
	Nested     *sample                            `json:"nested"`
	Raw        apiextensionsv1.JSON               `json:"raw"`
	Any        any                                `json:"any"`
	Time       metav1.Time                        `json:"time"`
	Amount     resource.Quantity                  `json:"amount"`
	Conditions kyvernov1.ConditionsWrapper        `json:"conditions"`
	ForEach    kyvernov1.ForEachValidationWrapper `json:"foreach"`
	Changes    kyvernov1.ForEachMutationWrapper   `json:"changes"`
	Plain      string
	Hidden     string `json:"-"`
}

func TestCheckShape(t *testing.T) {
	for name, tc := range map[string]struct {
		document string
		want     []string
	}{
		"what fits": {`{"inlined": "a", "text": "a", "flag": true, "small": -5, "natural": 255, "real": 1.5, "list": ["a"], "map": {"a.b/c": "d"},
			"bytes": "YQ==", "nested": {"text": "b"}, "raw": {"what": ["ever"]}, "any": 7, "time": "2026-01-02T03:04:05Z", "amount": 5, "Plain": "a",
			"conditions": {"any": [{"key": {"a": "b"}, "operator": "Equals", "value": 1}]}, "foreach": [{"list": "a", "pattern": {"x": "y"}}], "changes": []}`, nil},
		"null fits everywhere":       {`{"text": null, "flag": null, "small": null, "list": null, "map": null, "nested": null, "conditions": null, "amount": null}`, nil},
		"conditions in the old form": {`{"conditions": [{"key": "a", "operator": "Equals", "value": "b"}]}`, nil},
		"a number for a text":        {`{"text": 1}`, []string{"text: is a number: expected a string: put it in quotes"}},
		"a list for a text":          {`{"text": []}`, []string{"text: is a list: expected a string"}},
		"a text for a flag":          {`{"flag": "true"}`, []string{"flag: is a string: expected true or false"}},
		"a text for a number":        {`{"small": "1", "real": "1"}`, []string{"real: is a string: expected a number", "small: is a string: expected a whole number"}},
		"a number out of range":      {`{"small": 2147483648, "natural": -1}`, []string{"natural: is -1: expected a whole number of 8 bits", "small: is 2147483648: expected a whole number of 32 bits"}},
		"a text for bytes":           {`{"bytes": 1}`, []string{"bytes: is a number: expected a string: put it in quotes"}},
		"an object for a list":       {`{"list": {}}`, []string{"list: is an object: expected a list"}},
		"a text for an object":       {`{"map": "a", "nested": "b"}`, []string{"map: is a string: expected an object", "nested: is a string: expected an object"}},
		"an item of another type":    {`{"list": ["a", true]}`, []string{"list[1]: is a boolean: expected a string: put it in quotes"}},
		"an entry of another type":   {`{"map": {"a.b/c": 1}}`, []string{"map.a.b/c: is a number: expected a string: put it in quotes"}},
		"deeper":                     {`{"nested": {"nested": {"text": true}}}`, []string{"nested.nested.text: is a boolean: expected a string: put it in quotes"}},
		"a time that is none":        {`{"time": 5}`, []string{"time: is a number: expected a string: put it in quotes"}},
		"a field that is hidden":     {`{"Hidden": "a"}`, []string{`Hidden: unknown field "Hidden"`}},
		"inside of conditions":       {`{"conditions": {"all": [{"kee": 1}]}}`, []string{`conditions.all[0].kee: unknown field "kee": did you mean key?`}},
		"inside of old conditions":   {`{"conditions": [{"operatr": "a"}]}`, []string{`conditions[0].operatr: unknown field "operatr": did you mean operator?`}},
		"inside of foreach":          {`{"foreach": [{"lst": "a"}], "changes": [{"patchesJson6903": "a"}]}`, []string{`changes[0].patchesJson6903: unknown field "patchesJson6903": did you mean patchesJson6902?`, `foreach[0].lst: unknown field "lst": did you mean list?`}},
	} {
		t.Run(name, func(t *testing.T) {
			var value any
			if err := json.Unmarshal([]byte(tc.document), &value); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range checkShape(value, reflect.TypeFor[*sample]()) {
				got = append(got, p.PathString()+": "+p.Message)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if err := json.Unmarshal([]byte(tc.document), &sample{}); len(got) == 0 && err != nil {
				t.Errorf("nothing was found, and yet it cannot be decoded: %v", err)
			}
		})
	}
}
