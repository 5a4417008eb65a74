package pattern

import (
	"fmt"
	"strings"
)

// Anchor is the mark around a key of a pattern that changes what the key asks for.
type Anchor uint8

const (
	NoAnchor    Anchor = iota
	Condition          // (key): the rest counts only where this matches
	Global             // <(key): like Condition, and looked at with the plain keys
	Equality           // =(key): if the key is there, its value must match
	Existence          // ^(key): at least one element of the list must match
	Negation           // X(key): the key must not be there
	AddIfAbsent        // +(key): for mutation only; add the key if it is not there
)

// String gives the name used in messages.
func (a Anchor) String() string {
	switch a {
	case Condition:
		return "condition"
	case Global:
		return "global condition"
	case Equality:
		return "equality"
	case Existence:
		return "existence"
	case Negation:
		return "negation"
	case AddIfAbsent:
		return "add if absent"
	default:
		return "no anchor"
	}
}

// MatchAnchor takes a key apart: =(name) gives Equality and "name". A key that is no anchor gives
// NoAnchor, the key itself and false. White space around the whole key does not count, that inside the
// brackets does.
func MatchAnchor(key string) (kind Anchor, name string, ok bool) {
	s := strings.TrimSpace(key)
	if len(s) < len("(k)") || s[len(s)-1] != ')' {
		return NoAnchor, key, false
	}
	switch s[0] {
	case '(':
		kind = Condition
	case '<':
		kind = Global
	case '=':
		kind = Equality
	case '^':
		kind = Existence
	case 'X':
		kind = Negation
	case '+':
		kind = AddIfAbsent
	default:
		return NoAnchor, key, false
	}
	if kind != Condition {
		s = s[1:]
	}
	if len(s) < len("(k)") || s[0] != '(' || strings.Contains(s, "\n") {
		return NoAnchor, key, false
	}
	return kind, s[1 : len(s)-1], true
}

// withoutAnchor is the key of the object that a key of the pattern speaks of.
func withoutAnchor(key string) string {
	_, name, _ := MatchAnchor(key)
	return name
}

// checkKey refuses keys that were meant as anchors and are none, and anchors that a validate pattern has
// no use for. Without this they would be looked up as they stand, found nowhere, and the rule would ask
// for less than its author wrote.
func checkKey(key string) error {
	kind, name, ok := MatchAnchor(key)
	switch {
	case !ok && looksLikeAnchor(key):
		return fmt.Errorf("the key %q looks like an anchor and is none: the anchors are (k), =(k), ^(k), X(k) and <(k)", key)
	case !ok:
		return nil
	case kind == AddIfAbsent:
		return fmt.Errorf("the anchor %s has a meaning in mutate rules only", strings.TrimSpace(key))
	case looksLikeAnchor(name):
		return fmt.Errorf("the key %q has one anchor inside another", key)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("the anchor %q has white space inside its brackets", key)
	}
	return nil
}

// looksLikeAnchor reports whether key begins with a bracket, or with one character and a bracket. No
// label, annotation or field of the Kubernetes API does.
func looksLikeAnchor(key string) bool {
	s := strings.TrimSpace(key)
	at := strings.IndexByte(s, '(')
	return at == 0 || at == 1
}
