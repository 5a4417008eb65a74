package audit

import (
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// dependents knows which audited objects rest on what beside themselves, as their evaluation noted it: when
// that changes they are judged anew.
type dependents struct {
	mu       sync.Mutex
	who      map[engine.Dependency]map[subject]struct{}
	on       map[subject][]engine.Dependency
	kinds    map[schema.GroupVersionKind]int // how many dependencies name the kind
	newKinds chan struct{}                   // says that kinds has come to hold another one
}

// subject is an audited object.
type subject struct {
	watcher *watcher
	id      uid
}

func newDependents() *dependents {
	return &dependents{
		who: map[engine.Dependency]map[subject]struct{}{}, on: map[subject][]engine.Dependency{},
		kinds: map[schema.GroupVersionKind]int{}, newKinds: make(chan struct{}, 1),
	}
}

// set replaces what the subject rests on.
func (d *dependents) set(s subject, rests []engine.Dependency) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(s)
	if len(rests) == 0 {
		return
	}
	d.on[s] = rests
	for _, r := range rests {
		if d.who[r] == nil {
			d.who[r] = map[subject]struct{}{}
		}
		d.who[r][s] = struct{}{}
		if d.kinds[r.Kind]++; d.kinds[r.Kind] == 1 {
			select {
			case d.newKinds <- struct{}{}:
			default: // it is known already that there are some
			}
		}
	}
}

// forget drops the subject.
func (d *dependents) forget(s subject) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(s)
}

func (d *dependents) drop(s subject) {
	for _, r := range d.on[s] {
		delete(d.who[r], s)
		if len(d.who[r]) == 0 {
			delete(d.who, r)
		}
		if d.kinds[r.Kind]--; d.kinds[r.Kind] == 0 {
			delete(d.kinds, r.Kind)
		}
	}
	delete(d.on, s)
}

// watched lists the kinds that somebody rests on.
func (d *dependents) watched() []schema.GroupVersionKind {
	d.mu.Lock()
	defer d.mu.Unlock()
	kinds := make([]schema.GroupVersionKind, 0, len(d.kinds))
	for k := range d.kinds {
		kinds = append(kinds, k)
	}
	return kinds
}

// changed has everybody judged anew who rests on this object, on its like in its namespace, or on all of its
// kind.
func (d *dependents) changed(kind schema.GroupVersionKind, namespace, name string) {
	d.mu.Lock()
	var resting []subject
	for _, key := range []engine.Dependency{
		{Kind: kind, Namespace: namespace, Name: name}, {Kind: kind, Namespace: namespace}, {Kind: kind},
	} {
		for s := range d.who[key] {
			resting = append(resting, s)
		}
	}
	d.mu.Unlock()
	for _, s := range resting {
		s.watcher.recheck(s.id, affected)
	}
}

// changedAll is changed for whatever is of the kind: it was not watched up to now.
func (d *dependents) changedAll(kind schema.GroupVersionKind) {
	d.mu.Lock()
	resting := map[subject]struct{}{}
	for key, subjects := range d.who {
		if key.Kind == kind {
			for s := range subjects {
				resting[s] = struct{}{}
			}
		}
	}
	d.mu.Unlock()
	for s := range resting {
		s.watcher.recheck(s.id, affected)
	}
}
