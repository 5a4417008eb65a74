package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

func TestDependents(t *testing.T) {
	maps := schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	nodes := schema.GroupVersionKind{Version: "v1", Kind: "Node"}
	d := newDependents()
	w := newWatcher(nil, podType)
	names := map[uid]string{}
	for _, name := range []string{"one", "like", "all", "node"} {
		names[uidOf(name)] = name
	}
	judgedAnew := func() string {
		some, _ := w.takeDirty(10)
		var uids []string
		for _, d := range some {
			uids = append(uids, names[d.id])
		}
		slices.Sort(uids)
		return strings.Join(uids, " ")
	}
	expect := func(when, want string) {
		t.Helper()
		if got := judgedAnew(); got != want {
			t.Errorf("%s: %q is judged anew, want %q", when, got, want)
		}
	}
	d.set(subject{w, uidOf("one")}, []engine.Dependency{{Kind: maps, Namespace: "shop", Name: "a"}})
	d.set(subject{w, uidOf("like")}, []engine.Dependency{{Kind: maps, Namespace: "shop"}})
	d.set(subject{w, uidOf("all")}, []engine.Dependency{{Kind: maps}})
	d.set(subject{w, uidOf("node")}, []engine.Dependency{{Kind: nodes, Name: "n"}})
	d.changed(maps, "shop", "a")
	expect("the object itself", "all like one")
	d.changed(maps, "shop", "b")
	expect("another of its namespace", "all like")
	d.changed(maps, "bank", "a")
	expect("one of its name elsewhere", "all")
	d.changed(nodes, "", "n")
	expect("one without a namespace", "node")
	d.changedAll(maps)
	expect("a kind that was not watched", "all like one")
	d.set(subject{w, uidOf("one")}, []engine.Dependency{{Kind: nodes, Name: "n"}})
	d.changed(maps, "shop", "a")
	expect("what somebody rested on before", "all like")
	d.forget(subject{w, uidOf("all")})
	d.forget(subject{w, uidOf("like")})
	if got := fmt.Sprint(d.watched()); got != fmt.Sprint([]schema.GroupVersionKind{nodes}) {
		t.Errorf("watched are %s", got)
	}
	d.set(subject{w, uidOf("one")}, nil)
	d.forget(subject{w, uidOf("node")})
	if len(d.watched())+len(d.who)+len(d.on) != 0 {
		t.Errorf("something is left of nothing: %v %v", d.who, d.on)
	}
}

// What changes while much else does is taken in turns.
func TestDirtyObjectsAreTakenInParts(t *testing.T) {
	w := newWatcher(nil, podType)
	for i := range fewDirty + 1 {
		w.recheck(uidOf(fmt.Sprint(i)), affected)
	}
	if uids, left := w.takeDirty(fewDirty); len(uids) != fewDirty || left != 1 {
		t.Errorf("took %d, left %d", len(uids), left)
	}
	if uids, left := w.takeDirty(fewDirty); len(uids) != 1 || left != 0 {
		t.Errorf("took %d, left %d", len(uids), left)
	}
}
