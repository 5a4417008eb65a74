package pattern

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Outcome is what a pattern says of an object.
type Outcome uint8

const (
	Pass  Outcome = iota
	Fail          // the object does not match
	Skip          // the pattern's conditions leave the object out
	Error         // it could not be told; see Result.Err
)

// String gives the word that Kyverno has for the outcome.
func (o Outcome) String() string {
	switch o {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	case Skip:
		return "skip"
	default:
		return "error"
	}
}

// Result is the answer for one object.
type Result struct {
	Outcome Outcome
	// Path is the place in the object that decided, such as /spec/containers/0/image/. For a key that must
	// be there and is not it is the place of the map. Empty for Pass, and for an Error that has no place.
	Path string
	// Message says in a few words what the pattern asks for at that place; for Skip, what the condition asks
	// for. It is made of the policy's own
	// text: a variable stands in it as it is written, and no value of the object does.
	Message string
	// Expected is the leaf of the pattern that was not met, with its variables resolved; nil when it was
	// null, or no leaf. It may hold values of the object and of look-ups.
	Expected any
	// Found is what the object has there, shared with it; nil when it has nothing. Leave it and Expected
	// out of what others may read where the object is a Secret.
	Found any
	// Err says why the outcome is Error.
	Err error
}

// maxShown bounds a value in a text, in bytes: an object's field may hold a megabyte.
const maxShown = 80

// Text is Message with the values that were expected and found, for readers who may see them.
func (r Result) Text() string {
	if r.Outcome != Fail || r.Found == nil {
		return r.Message
	}
	return r.Message + ", found " + show(r.Found)
}

func show(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list of " + strconv.Itoa(len(v))
	case string:
		if len(v) > maxShown {
			v = strings.ToValidUTF8(v[:maxShown], "") + "..."
		}
		return strconv.Quote(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			return "a value that JSON cannot hold"
		}
		return string(raw)
	}
}

// reason is why a part of a pattern did not match, in parts: the text is made only if it is asked for.
type reason struct {
	why    cause
	want   *node
	found  any
	absent bool // the key is not there at all
}

type cause uint8

const (
	notObject cause = iota
	notList
	notEqualTo
	notSet
	missing
	forbidden
	noneMatches
	badExistence
	emptyList
	tooShort
)

func (m *matcher) result(v verdict) Result {
	r := Result{Path: m.path(), Message: m.message(), Found: m.reason.found}
	if m.reason.why == notEqualTo {
		if n := m.resolve(m.reason.want); n.kind == scalarNode {
			r.Expected = n.scalar.source()
		}
	}
	switch {
	case v.skips():
		r.Outcome = Skip
	case v == short:
		r.Outcome = Error
		r.Err = fmt.Errorf("%w: %s", ErrMismatch, r.Message)
	default:
		r.Outcome = Fail
	}
	return r
}

func (m *matcher) path() string {
	var b strings.Builder
	b.WriteByte('/')
	for i := range m.length {
		s := m.step(i)
		if s.position > 0 {
			b.WriteString(strconv.Itoa(s.position - 1))
		} else {
			b.WriteString(s.key)
		}
		b.WriteByte('/')
	}
	return b.String()
}

func (m *matcher) message() string {
	switch r := &m.reason; r.why {
	case notObject, notList, notEqualTo:
		demand := r.want.demand()
		if m.blended && r.why == notEqualTo {
			demand = "must match the pattern"
		}
		if r.absent {
			return "is not set, and " + demand
		}
		return demand
	case notSet:
		return "must have the key " + strconv.Quote(m.step(m.length).key)
	case missing:
		return "is not set"
	case forbidden:
		return "must not be set"
	case noneMatches:
		return "has no element that the pattern asks for"
	case badExistence:
		return "cannot match: the anchor ^(k) of the pattern needs a list of objects"
	case emptyList:
		return "cannot match: the list in the pattern is empty"
	default:
		return "must have at least " + strconv.Itoa(len(m.resolve(r.want).items)) + " elements"
	}
}

// demand puts a node in words.
func (n *node) demand() string {
	switch n.kind {
	case objectNode:
		return "must be an object"
	case listNode:
		return "must be a list"
	case slotNode:
		return "must match " + strconv.Quote(n.source)
	}
	switch s := &n.scalar; s.kind {
	case textScalar:
		return "must match " + strconv.Quote(s.text)
	case boolScalar:
		return "must be " + strconv.FormatBool(s.flag)
	case numberScalar:
		return "must be " + s.num.String()
	default:
		return "must be empty"
	}
}
