package peers

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/holdfast-io/holdfast/engine/glob"
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

func (g *patternGenerator) key(inLabels bool) string {
	if inLabels {
		return pick(g.r, "a", "b", "app/x", "app/*", "b*", "?", "z*")
	}
	return patternKeys[g.r.IntN(len(patternKeys))]
}

func (g *patternGenerator) pattern(depth int, meta bool, labels bool, inList bool) any {
	if labels {
		m := map[string]any{}
		for range g.r.IntN(4) {
			v := pick(g.r, "x", "y", "*", "?*", "!x", "x*", "5")
			m[g.anchor(g.key(true), true)] = v
		}
		return m
	}
	n := g.r.IntN(10)
	if depth <= 0 || n < 2 {
		return g.leaf()
	}
	if n < 8 {
		m := map[string]any{}
		for range g.r.IntN(4) {
			k := g.key(false)
			if inList && k == "metadata" { // the peer carries the expansion of one element over to the next
				k = "a"
			}
			ak := g.anchor(k, false)
			var v any
			if ak == "^("+k+")" {
				var l []any
				for range 1 + g.r.IntN(2) {
					l = append(l, g.object(depth-1, inList))
				}
				v = l
			} else if k == "metadata" {
				mm := map[string]any{}
				for range g.r.IntN(3) {
					kk := pick(g.r, "labels", "annotations", "name")
					if kk == "name" {
						mm[g.anchor(kk, false)] = g.leaf()
						if _, ok := mm["^(name)"]; ok {
							delete(mm, "^(name)")
						}
					} else {
						a := pick(g.r, "", "=", "=", "c", "<", "X", "")
						key := kk
						switch a {
						case "c":
							key = "(" + kk + ")"
						case "":
						default:
							key = a + "(" + kk + ")"
						}
						// one of each only: the peer picks at random
						dup := false
						for _, s := range []string{kk, "(" + kk + ")", "=(" + kk + ")", "<(" + kk + ")", "X(" + kk + ")"} {
							if _, ok := mm[s]; ok {
								dup = true
							}
						}
						if !dup {
							mm[key] = g.pattern(depth-1, false, true, inList)
						}
					}
				}
				v = mm
			} else {
				v = g.pattern(depth-1, false, false, inList)
			}
			dup := false
			if k == "metadata" {
				for _, s := range []string{k, "(" + k + ")", "=(" + k + ")", "<(" + k + ")", "X(" + k + ")", "^(" + k + ")"} {
					if _, ok := m[s]; ok {
						dup = true
					}
				}
			}
			if !dup {
				m[ak] = v
			}
		}
		return m
	}
	var l []any
	for range pick(g.r, 1, 1, 1, 1, 2, 0) {
		l = append(l, g.pattern(depth-1, false, false, true))
	}
	if l == nil {
		l = []any{}
	}
	return l
}

func (g *patternGenerator) object(depth int, inList bool) any {
	for {
		p := g.pattern(max(depth, 1), false, false, true)
		if _, ok := p.(map[string]any); ok {
			return p
		}
	}
}

func (g *patternGenerator) anchor(k string, labels bool) string {
	switch g.r.IntN(14) {
	case 0, 1:
		return "(" + k + ")"
	case 2, 3:
		return "=(" + k + ")"
	case 4:
		return "X(" + k + ")"
	case 5:
		if labels {
			return k
		}
		return "^(" + k + ")"
	case 6:
		return "<(" + k + ")"
	default:
		return k
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
		// iterate deterministically
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
					// at most one match of each wildcard: the peer picks at random
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

// the peer chooses at random when a wildcard matches several labels, or two keys expand to one
func ambiguous(p, r any) bool {
	switch p := p.(type) {
	case map[string]any:
		for k, v := range p {
			_, name, _ := pattern.MatchAnchor(k)
			rm, _ := r.(map[string]any)
			if (name == "labels" || name == "annotations") && isMap(v) {
				rl, _ := rm[name].(map[string]any)
				used := map[string]int{}
				for kk := range v.(map[string]any) {
					kind, n, _ := pattern.MatchAnchor(kk)
					hits := 0
					for l := range rl {
						if glob.Match(n, l) {
							hits++
							used[l+kind.String()]++
						}
					}
					if hits > 1 {
						return true
					}
				}
				for _, c := range used {
					if c > 1 {
						return true
					}
				}
				for _, x := range rl {
					if _, ok := x.(string); !ok {
						return true
					}
				}
			}
			if ambiguous(v, rm[name]) {
				return true
			}
		}
	case []any:
		l, _ := r.([]any)
		for _, x := range p {
			for _, y := range l {
				if ambiguous(x, y) {
					return true
				}
			}
		}
	}
	return false
}

func isMap(v any) bool { _, ok := v.(map[string]any); return ok }
