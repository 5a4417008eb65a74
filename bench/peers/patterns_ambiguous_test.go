package peers

import (
	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// ambiguous reports whether the peer chooses at random: a wildcard matches several labels, or two keys stand for one.
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
