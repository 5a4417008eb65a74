package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"
	"sync"
	"unique"

	"github.com/holdfast-io/holdfast/engine"
)

// record is all that is kept of an object: what was judged, by which rules.
type record struct {
	namespace unique.Handle[string]
	name      string
	// by are the rules that judged it, nil while nothing could be judged; print stands for what they read of it.
	by    *ruleSet
	print engine.Fingerprint
	// version is the resourceVersion of what was judged; 0 if it is no number.
	version uint64
	// round is the last sweep that found the object.
	round uint32
	// due is when the time alone may change the verdict, in Unix seconds; 0 for never.
	due int64
	// rests says that the verdict rests on more than the object.
	rests bool
	// failed says that something could not be evaluated.
	failed bool
	// transient says that some of what was found has yet to settle.
	transient bool
}

// uid stands for the UID of an object: its 16 bytes, or where it is not written as an API server writes it, a half of its hash.
type uid [16]byte

func uidOf(s string) uid {
	var u uid
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		text := [32]byte{}
		copy(text[copy(text[:], s[:8]):], s[9:13])
		copy(text[12:], s[14:18])
		copy(text[16:], s[19:23])
		copy(text[20:], s[24:])
		if n, err := hex.Decode(u[:], text[:]); err == nil && n == len(u) && s == strings.ToLower(s) {
			return u
		}
	}
	sum := sha256.Sum256([]byte(s))
	return uid(sum[:len(u)])
}

// records are what is known of the objects of one type.
type records struct {
	mu       sync.Mutex
	known    map[uid]record
	failed   int // of those known
	unjudged int
}

func (r *records) get(u uid) (record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.known[u]
	return known, ok
}

func (r *records) put(u uid, rec record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uncount(u)
	if rec.failed {
		r.failed++
	}
	if rec.by == nil {
		r.unjudged++
	}
	r.known[u] = rec
}

// len is how many objects are known.
func (r *records) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.known)
}

// drop forgets an object, and gives what was known of it.
func (r *records) drop(u uid) (record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.known[u]
	r.uncount(u)
	delete(r.known, u)
	return known, ok
}

func (r *records) uncount(u uid) {
	known, ok := r.known[u]
	if known.failed {
		r.failed--
	}
	if ok && known.by == nil {
		r.unjudged--
	}
}

// retain forgets what a sweep did not find. It gives the UIDs of what it found, and of the others.
func (r *records) retain(round uint32) (found map[uid]struct{}, lost []uid) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found = make(map[uid]struct{}, len(r.known))
	for u, rec := range r.known {
		if rec.round == round {
			found[u] = struct{}{}
			continue
		}
		lost = append(lost, u)
		r.uncount(u)
		delete(r.known, u)
	}
	return found, lost
}

// clear forgets all, and gives their UIDs.
func (r *records) clear() []uid {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]uid, 0, len(r.known))
	for u := range maps.Keys(r.known) {
		all = append(all, u)
	}
	r.known, r.failed, r.unjudged = map[uid]record{}, 0, 0
	return all
}

// doubt has the next sweep judge all objects, whether they have changed or not.
func (r *records) doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for u, rec := range r.known {
		rec.rests = true
		r.known[u] = rec
	}
}

// count brings a type's coverage up to what is known.
func (r *records) count(c *Coverage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Objects, c.Judged, c.Failed = len(r.known), len(r.known)-r.unjudged, r.failed
}
