package peers

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

// patternGenerator generates patterns, and objects that are like them. It leaves out where the peer chooses at random, by the
// order of a Go map, so that there is nothing to compare.
type patternGenerator struct{ r *rand.Rand }

var patternKeys = []string{"a", "b", "c", "name", "metadata", "labels", "annotations"}

// leaves are the scalars of patterns.
var leaves = []string{"*", "?*", "x", "xy*", "!x", "x | y", "!x & !y", ">1", ">=1", "<5", "<=5s", "1-3", "1!-3", "-5-5", "1Mi-1Gi", "!1-3", "0", "10m", "!0", "5", "1Gi", "!1Gi", "", "true", "!true", "x|", "a & b", "5 | x", "<1 | >10", "12ab-34cd", "1h-2h", "!*", "1E+00", "7?", "0.5", ">0.25", " x ", "x\n| y", "\n>5", "5E-01", "!", "!!", "+5", "!5s", "0s", "0x1"}

func (g *patternGenerator) leaf() any {
	switch g.r.IntN(12) {
	case 0:
		return nil
	case 1:
		return g.r.IntN(2) == 0
	case 2:
		return float64(g.r.IntN(7))
	case 3:
		return pick(g.r, 0.5, 1.5, -1.0, 1e3, 0.0)
	default:
		return leaves[g.r.IntN(len(leaves))]
	}
}

// scalars are those of objects.
var scalars = []string{"x", "y", "xy", "xyz", "", "1", "5", "0", "5s", "10m", "600s", "0.01", "1Gi", "1024Mi", "3Mi", "true", "12ab-34cd", ">1", "1h", "1h30m", "0.5", "a", "b", "7", "70", "-0", "1.5", "+5", "2", "005", "5E-01", "0x1", "!x", "1e3", "1E+00", "x | y", " x ", "1.5h", "2h", "!", "5.0"}

func (g *patternGenerator) value() any {
	switch g.r.IntN(8) {
	case 0:
		return nil
	case 1:
		return g.r.IntN(2) == 0
	case 2:
		return float64(g.r.IntN(12) - 2)
	case 3:
		return pick(g.r, 0.5, 1.5, 0.25, 1000, 7, 70, 1e15, 123456.789)
	default:
		return scalars[g.r.IntN(len(scalars))]
	}
}

// place is where a pattern stands. The peer carries wildcards of labels over from one element of a list to the next, so
// that there are none in lists.
type place uint8

const (
	outsideLists place = iota
	insideList
)

// pattern gives a pattern that is nested at most so deep.
func (g *patternGenerator) pattern(depth int, in place) any {
	n := g.r.IntN(10)
	switch {
	case depth <= 0 || n < 2:
		return g.leaf()
	case n < 8:
		return g.object(depth, in)
	}
	items := []any{}
	for range pick(g.r, 1, 1, 1, 1, 2, 0) {
		items = append(items, g.pattern(depth-1, insideList))
	}
	return items
}

func (g *patternGenerator) object(depth int, in place) map[string]any {
	m := map[string]any{}
	for range g.r.IntN(4) {
		name := pick(g.r, patternKeys...)
		if name == "metadata" {
			if in == outsideLists && !holds(m, name) {
				m[pick(g.r, "metadata", "=(metadata)", "(metadata)", "metadata")] = g.metadata()
			}
			continue
		}
		key := g.anchored(name)
		if key != "^("+name+")" {
			m[key] = g.pattern(depth-1, in)
			continue
		}
		items := []any{}
		for range 1 + g.r.IntN(2) {
			items = append(items, g.object(depth-1, insideList))
		}
		m[key] = items
	}
	return m
}

func (g *patternGenerator) metadata() map[string]any {
	m := map[string]any{}
	for range g.r.IntN(3) {
		name := pick(g.r, "labels", "annotations", "name")
		key := pick(g.r, name, name, "=("+name+")", "=("+name+")", "("+name+")", "<("+name+")", "X("+name+")")
		switch {
		case holds(m, name):
		case name == "name":
			m[key] = g.leaf()
		default:
			m[key] = g.labels()
		}
	}
	return m
}

func (g *patternGenerator) labels() map[string]any {
	m := map[string]any{}
	for range g.r.IntN(4) {
		name := pick(g.r, "a", "b", "app/x", "app/*", "b*", "?", "z*")
		key := g.anchored(name)
		if key == "^("+name+")" {
			key = name // for lists only
		}
		m[key] = pick(g.r, "x", "y", "*", "?*", "!x", "x*", "5")
	}
	return m
}

// holds reports whether a key is there, with any anchor: of two the peer picks one at random.
func holds(m map[string]any, name string) bool {
	for key := range m {
		if _, n, _ := pattern.MatchAnchor(key); n == name {
			return true
		}
	}
	return false
}

func (g *patternGenerator) anchored(name string) string {
	switch g.r.IntN(14) {
	case 0, 1:
		return "(" + name + ")"
	case 2, 3:
		return "=(" + name + ")"
	case 4:
		return "X(" + name + ")"
	case 5:
		return "^(" + name + ")"
	case 6:
		return "<(" + name + ")"
	default:
		return name
	}
}

// mold makes a resource that is close to the pattern.
func (g *patternGenerator) mold(p any) any {
	if g.r.IntN(14) == 0 {
		return g.random(2)
	}
	switch p := p.(type) {
	case map[string]any:
		m := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(p)) {
			if g.r.IntN(7) == 0 {
				continue
			}
			kind, name, _ := pattern.MatchAnchor(k)
			if kind == pattern.Negation && g.r.IntN(3) > 0 {
				continue
			}
			switch name {
			case "app/*":
				name = pick(g.r, "app/x", "app/y")
			case "b*":
				name = pick(g.r, "b", "bc")
			case "?":
				name = pick(g.r, "q", "b", "a")
			case "z*":
				name = "zz"
			}
			v := g.mold(p[k])
			if name == "labels" || name == "annotations" {
				if mm, ok := v.(map[string]any); ok {
					for kk, vv := range mm {
						if _, ok := vv.(string); !ok {
							mm[kk] = "x"
						}
					}
				}
			}
			m[name] = v
		}
		if g.r.IntN(5) == 0 {
			m[patternKeys[g.r.IntN(len(patternKeys))]] = g.random(1)
		}
		return m
	case []any:
		l := []any{}
		if len(p) == 0 {
			return l
		}
		_, tuple := p[0].([]any)
		if tuple {
			for _, x := range p {
				l = append(l, g.mold(x))
			}
			if g.r.IntN(6) == 0 {
				l = l[:len(l)-1]
			}
			return l
		}
		for range g.r.IntN(4) {
			l = append(l, g.mold(p[g.r.IntN(len(p))]))
		}
		return l
	case string:
		if g.r.IntN(3) == 0 {
			return g.value()
		}
		switch p {
		case "x", "x | y", "x*", "xy*", "?*", "*":
			return pick(g.r, "x", "xy", "xyz")
		case "!x":
			return pick(g.r, "y", "z", "x")
		}
		if g.r.IntN(3) == 0 {
			return p
		}
		return g.value()
	default:
		if g.r.IntN(2) == 0 {
			return p
		}
		return g.value()
	}
}

func (g *patternGenerator) random(depth int) any {
	n := g.r.IntN(8)
	if depth <= 0 || n < 5 {
		return g.value()
	}
	if n < 7 {
		m := map[string]any{}
		for range g.r.IntN(3) {
			m[patternKeys[g.r.IntN(len(patternKeys))]] = g.random(depth - 1)
		}
		return m
	}
	l := []any{}
	for range g.r.IntN(3) {
		l = append(l, g.random(depth-1))
	}
	return l
}
