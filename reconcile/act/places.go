package act

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// place is a part of an object that a patch changes: the smallest part that can be told again when the object has changed
// elsewhere. An element of a list is told by its name; where elements come, go, get another name or have none, the part is the
// list.
type place struct {
	path  []string
	names []string // of the elements of lists on the way
	value any
	there bool
}

// places are the parts of an object that the operations are about.
func places(object map[string]any, ops []mutate.Operation) []place {
	seen := map[string]bool{}
	var out []place
	for i := range ops {
		p := placeAt(object, ops[i].Path)
		if key := strings.Join(p.path, "/"); !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
	}
	return out
}

func placeAt(object map[string]any, pointer string) place {
	var p place
	var at any = object
	steps := stepsOf(pointer)
	for n, step := range steps {
		switch v := at.(type) {
		case map[string]any:
			value, ok := v[step]
			if !ok {
				return place{path: append(p.path, steps[n:]...), names: p.names}
			}
			p.path, at = append(p.path, step), value
		case []any:
			name := ""
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) && n < len(steps)-1 && steps[n+1] != "name" {
				element, _ := v[i].(map[string]any)
				name, _ = element["name"].(string)
				at = v[i]
			}
			if name == "" {
				return place{p.path, p.names, v, true}
			}
			p.path, p.names = append(p.path, step), append(p.names, name)
		default:
			return place{path: append(p.path, steps[n:]...), names: p.names}
		}
	}
	p.value, p.there = at, true
	return p
}

// stepsOf are those of a JSON pointer.
func stepsOf(pointer string) []string {
	if pointer == "" {
		return nil
	}
	list := strings.Split(pointer[1:], "/")
	for i := range list {
		list[i] = strings.ReplaceAll(strings.ReplaceAll(list[i], "~1", "/"), "~0", "~")
	}
	return list
}

// fingerprint stands for the places of the operations as they are: sha256 in hex. As long as it is the same, nobody has
// changed what the operations changed.
func fingerprint(object map[string]any, ops []mutate.Operation) (string, error) {
	type entry struct {
		Path, Names []string
		There       bool
		Value       any
	}
	list := places(object, ops)
	entries := make([]entry, len(list))
	for i := range list {
		entries[i] = entry{list[i].path, list[i].names, list[i].there, list[i].value}
	}
	raw, err := json.Marshal(entries)
	if err != nil {
		return "", fmt.Errorf("writing what is changed in canonical form: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// holds reports whether the operations have been carried out on the object already, as far as can be told: what they put
// somewhere is there, with what the server added to it, and what they take away is not.
func holds(object map[string]any, ops []mutate.Operation) bool {
	return len(ops) > 0 && departures(object, ops) == nil
}

// departures lists the places where the object is not as the operations left it, in words.
func departures(object map[string]any, ops []mutate.Operation) []string {
	var out []string
	for i := range ops {
		op := &ops[i]
		p := placeAt(object, op.Path)
		at := "/" + strings.Join(p.path, "/")
		switch list, inList := p.value.([]any); {
		case inList && len(p.path) < len(stepsOf(op.Path)): // the element goes for the list
			there := slices.ContainsFunc(list, func(item any) bool { return contains(item, op.Value) })
			if op.Op != "remove" && len(p.path) == len(stepsOf(op.Path))-1 && !there {
				out = append(out, op.Path+" has gone from its list")
			}
		case op.Op == "remove" && p.there:
			out = append(out, at+" is there again")
		case op.Op != "remove" && !p.there:
			out = append(out, at+" is gone")
		case op.Op != "remove" && !contains(p.value, op.Value):
			out = append(out, at+" is another")
		}
	}
	return out
}

// contains reports whether a value is the wanted one, with fields that a server may have added.
func contains(value, wanted any) bool {
	switch w := wanted.(type) {
	case map[string]any:
		v, ok := value.(map[string]any)
		if !ok {
			return false
		}
		for key := range w {
			if !contains(v[key], w[key]) {
				return false
			}
		}
		return true
	case []any:
		v, ok := value.([]any)
		if !ok || len(v) != len(w) {
			return false
		}
		for i := range w {
			if !contains(v[i], w[i]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(number(value), number(wanted))
	}
}

// number gives whole numbers the type that JSON's have here.
func number(v any) any {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	default:
		return v
	}
}

// operations reads a patch that was written as text.
func operations(text string) ([]mutate.Operation, error) {
	var list []struct {
		Op, Path, From string
		Value          any
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("reading a patch of the plan: %w", err)
	}
	out := make([]mutate.Operation, len(list))
	for i, op := range list {
		out[i] = mutate.Operation{Op: op.Op, Path: op.Path, From: op.From, Value: op.Value}
	}
	return out, nil
}
