package webhook

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/holdfast-io/holdfast/engine"
)

var epoch = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// written is a write of the object u, by a manager at a second, of a generation.
func written(user, manager string, second int, generation float64) *engine.Request {
	entry := func(name, subresource string, at int) any {
		e := map[string]any{"manager": name, "operation": "Update", "time": stampAt(at)}
		if subresource != "" {
			e["subresource"] = subresource
		}
		return e
	}
	return &engine.Request{
		Operation: engine.Update, User: &authenticationv1.UserInfo{Username: user, Groups: []string{"staff"}},
		Object: map[string]any{"metadata": map[string]any{
			"uid": "u", "generation": generation,
			"managedFields": []any{entry("older", "", second-10), entry(manager, "", second), entry("kubelet", "status", second+5)},
		}},
		Options: map[string]any{"fieldManager": manager},
	}
}

func stampAt(second int) string {
	return epoch.Add(time.Duration(second) * time.Second).Format(time.RFC3339)
}

func TestAWriteIsFoundAgainByItsTrace(t *testing.T) {
	m := NewMemory(epoch)
	m.passed(written("ana", "kubectl", 20, 2), nil, epoch.Add(20*time.Second))
	m.passed(written("bob", "edit", 30, 3), []Despite{{"p/r", NotEnforced}}, epoch.Add(30*time.Second))
	unnamed := written("eve", "curl", 40, 4)
	unnamed.Options = nil
	m.passed(unnamed, nil, epoch.Add(40*time.Second))
	removal := written("joe", "edit", 40, 4) // takes something away, so that no entry of managedFields tells of it
	removal.Object["metadata"].(map[string]any)["managedFields"].([]any)[1].(map[string]any)["manager"] = "curl"
	m.passed(removal, nil, epoch.Add(41*time.Second))

	tests := map[string]struct {
		trace Trace
		want  string // the user, empty for nobody
	}{
		"of the manager that owns it":                        {Trace{UID: "u", Generation: 4, Manager: "kubectl", Stamp: stampAt(20), Newest: stampAt(40)}, "ana"},
		"of another":                                         {Trace{UID: "u", Generation: 4, Manager: "edit", Stamp: stampAt(30), Newest: stampAt(40)}, "bob"},
		"of one whom the server named":                       {Trace{UID: "u", Generation: 4, Manager: "curl", Stamp: stampAt(40), Newest: stampAt(40)}, "eve"},
		"of something that is missing":                       {Trace{UID: "u", Generation: 4, Newest: stampAt(40)}, "joe"},
		"of something that was missing a write ago":          {Trace{UID: "u", Generation: 3, Newest: stampAt(30)}, "bob"},
		"of a write of that manager that nobody saw":         {Trace{UID: "u", Generation: 4, Manager: "kubectl", Stamp: stampAt(21), Newest: stampAt(40)}, ""},
		"of a manager that nobody saw":                       {Trace{UID: "u", Generation: 4, Manager: "sed", Stamp: stampAt(20), Newest: stampAt(40)}, ""},
		"of something that is missing since an unseen write": {Trace{UID: "u", Generation: 4, Newest: stampAt(50)}, ""},
		"of another generation":                              {Trace{UID: "u", Generation: 5, Newest: stampAt(40)}, ""},
		"of another object":                                  {Trace{UID: "v", Generation: 4, Newest: stampAt(40)}, ""},
		"of an object without managedFields":                 {Trace{UID: "u", Generation: 4}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := m.Recall(test.trace)
			if got.User != test.want || ok != (test.want != "") {
				t.Errorf("it was %q (%v), want %q", got.User, ok, test.want)
			}
		})
	}
	got, _ := m.Recall(Trace{UID: "u", Generation: 4, Manager: "edit", Stamp: stampAt(30), Newest: stampAt(40)})
	want := Remembered{
		User: "bob", Groups: []string{"staff"}, Manager: "edit", Operation: engine.Update, Time: epoch.Add(30 * time.Second),
		Despite: []Despite{{"p/r", NotEnforced}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("remembered %+v, want %+v", got, want)
	}
}

func TestWhatIsNotRemembered(t *testing.T) {
	for name, change := range map[string]func(*engine.Request){
		"a dry run":                 func(r *engine.Request) { r.DryRun = true },
		"a deletion":                func(r *engine.Request) { r.Operation = engine.Delete },
		"a connection":              func(r *engine.Request) { r.Operation = engine.Connect },
		"an object without an UID":  func(r *engine.Request) { r.Object = map[string]any{} },
		"a request without an user": func(r *engine.Request) { r.User = nil },
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory(epoch)
			r := written("ana", "kubectl", 20, 2)
			change(r)
			m.passed(r, nil, epoch)
			if m.count != 0 {
				t.Error("it is remembered")
			}
		})
	}
	var none *Memory
	none.passed(written("ana", "kubectl", 20, 2), nil, epoch) // nothing to be told
}

// Several groups of policies are asked about one write.
func TestCallsAboutOneWriteAreOneMemory(t *testing.T) {
	m := NewMemory(epoch)
	m.passed(written("ana", "kubectl", 20, 2), []Despite{{"p/a", NotEnforced}}, epoch)
	m.passed(written("ana", "kubectl", 20, 2), []Despite{{"q/b", NotEvaluated}, {"p/a", NotEnforced}}, epoch)
	got, ok := m.Recall(Trace{UID: "u", Generation: 2, Newest: stampAt(20)})
	if want := []Despite{{"p/a", NotEnforced}, {"q/b", NotEvaluated}}; !ok || m.count != 1 || !slices.Equal(got.Despite, want) {
		t.Errorf("%d memories, the last despite %v, want one despite %v", m.count, got.Despite, want)
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	m := NewMemory(epoch)
	for i := range memorySize + 10 {
		r := written(strings.Repeat("n", 2*maxNameBytes), "kubectl", i, float64(i))
		r.Object["metadata"].(map[string]any)["uid"] = fmt.Sprint("u", i)
		r.User.Groups = slices.Repeat([]string{"group"}, 2*maxGroups)
		m.passed(r, slices.Repeat([]Despite{{"p/r", NotEnforced}}, 2*maxDespite), epoch.Add(time.Duration(i)*time.Second))
	}
	if len(m.last) != memorySize {
		t.Errorf("%d objects are known, want %d", len(m.last), memorySize)
	}
	if _, ok := m.Recall(Trace{UID: "u9", Generation: 9, Newest: stampAt(9)}); ok {
		t.Error("a write is known that had to make room")
	}
	got, ok := m.Recall(Trace{UID: "u10", Generation: 10, Newest: stampAt(10)})
	if !ok || len(got.User) != maxNameBytes || len(got.Groups) != maxGroups || len(got.Despite) != maxDespite {
		t.Errorf("known: %v, with a name of %d bytes, %d groups and %d rules", ok, len(got.User), len(got.Groups), len(got.Despite))
	}
	if want := epoch.Add(9 * time.Second); !m.Since().Equal(want) {
		t.Errorf("complete since %v, want %v: when the last write was forgotten", m.Since(), want)
	}
}

// What is remembered must not keep the whole review in memory: the texts of a decoded object are cut out of it.
func TestWhatIsRememberedIsNoPartOfTheReview(t *testing.T) {
	review := "ffffffff-0000 manager 2026-11-30T12:00:00Z"
	from := uintptr(unsafe.Pointer(unsafe.StringData(review)))
	req := written("ana", "kubectl", 20, 2)
	meta := req.Object["metadata"].(map[string]any)
	meta["uid"] = review[:13]
	meta["managedFields"] = []any{map[string]any{"manager": review[14:21], "time": review[22:]}}
	req.Options["fieldManager"] = review[14:21]

	e := newMemory(req, nil, epoch)
	for name, text := range map[string]string{"uid": e.uid, "manager": e.Manager, "stamp": e.stamp, "newest": e.newest} {
		if text == "" {
			t.Errorf("the %s is empty", name)
		}
		if at := uintptr(unsafe.Pointer(unsafe.StringData(text))); at >= from && at < from+uintptr(len(review)) {
			t.Errorf("the %s is a part of the review", name)
		}
	}
}
