// Package fleet makes up the objects of a cluster of many teams, for measurements: a count and a seed flow in, objects
// flow out, one at a time, the same ones each time. A fifth of them violate what policies usually ask for, and say how.
// It knows no policy and talks to no cluster.
package fleet

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// Object is one object, as the API takes it.
type Object struct {
	Content map[string]any
	// Violates names what is wrong with it; nil if nothing is.
	Violates []string
}

// perNamespace is how many objects share a namespace.
const perNamespace = 100

// shares are the kinds beside Namespaces, of which there is one for each perNamespace objects, in per cent of the rest.
var shares = []struct {
	percent int
	make    func(*maker) Object
}{
	{30, (*maker).pod}, {31, (*maker).deployment}, {16, (*maker).service}, {15, (*maker).configMap}, {8, (*maker).ingress},
}

// Violating is the share of objects in which something is wrong: a fifth of all, which is a quarter of those kinds that
// can be wrong.
const violating = 0.24

// Generate makes count objects, Namespaces first.
func Generate(count int, seed uint64) iter.Seq[Object] {
	namespaces := max(1, count/perNamespace)
	return func(yield func(Object) bool) {
		for i := range namespaces {
			if !yield(namespace(seed, i)) {
				return
			}
		}
		for i := namespaces; i < count; i++ {
			if !yield(object(seed, i, namespaces)) {
				return
			}
		}
	}
}

// object makes the i-th object. It depends on nothing but the seed and its number.
func object(seed uint64, i, namespaces int) Object {
	m := newMaker(seed, i)
	m.team, m.app = pick(m, teams), pick(m, apps)
	m.name = fmt.Sprintf("%s-%s-%06d", m.team, m.app, i)
	m.namespace = namespaceName(m.IntN(namespaces))
	m.spoilt = m.Float64() < violating
	at := m.IntN(100)
	for _, s := range shares {
		if at -= s.percent; at < 0 {
			return s.make(m)
		}
	}
	panic("the shares are less than 100 %")
}

// maker makes one object.
type maker struct {
	*rand.Rand
	name, namespace, team, app string
	// spoilt says that something is to be wrong with the object.
	spoilt bool
}

func newMaker(seed uint64, i int) *maker {
	return &maker{Rand: rand.New(rand.NewPCG(seed, uint64(i)))} //nolint:gosec // what is made up is to be the same each time
}

func pick[T any](m *maker, from []T) T { return from[m.IntN(len(from))] }

var (
	teams = []string{"atlas", "birch", "comet", "delta", "ember", "fjord", "grove", "heron", "iris", "juno"}
	apps  = []string{"api", "batch", "cart", "dns", "edge", "feed", "gate", "hooks", "index", "jobs", "login", "mail", "orders", "proxy", "search", "web"}
	tiers = []string{"dev", "test", "prod"}
)

func namespaceName(i int) string {
	return fmt.Sprintf("%s-%s-%04d", teams[i%len(teams)], tiers[i%len(tiers)], i)
}

// hex gives n digits.
func (m *maker) hex(n int) string {
	out := ""
	for len(out) < n {
		out += fmt.Sprintf("%016x", m.Uint64())
	}
	return out[:n]
}

// meta is the metadata that deployed software usually bears.
func (m *maker) meta(labels, annotations map[string]any) map[string]any {
	return map[string]any{"name": m.name, "namespace": m.namespace, "labels": labels, "annotations": annotations}
}

func (m *maker) labels() map[string]any {
	return map[string]any{
		"app.kubernetes.io/name": m.app, "app.kubernetes.io/instance": m.name, "app.kubernetes.io/part-of": m.team,
		"app.kubernetes.io/component": pick(m, []string{"frontend", "backend", "worker"}), "app.kubernetes.io/managed-by": "Helm",
		"app.kubernetes.io/version": m.version(), "helm.sh/chart": m.app + "-" + m.version(),
		"example.com/team": m.team, "example.com/cost-centre": fmt.Sprint(1000 + m.IntN(9000)),
	}
}

func (m *maker) annotations() map[string]any {
	return map[string]any{
		"meta.helm.sh/release-name": m.name, "meta.helm.sh/release-namespace": m.namespace,
		"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/metrics",
		"checksum/config": m.hex(64), "example.com/on-call": m.team + "@example.com",
		"example.com/runbook": "https://runbooks.example.com/" + m.team + "/" + m.app + "/" + m.hex(12),
	}
}

// wordy are annotations with some prose beside.
func (m *maker) wordy() map[string]any {
	a := m.annotations()
	text := ""
	for range 80 {
		text += pick(m, apps) + " "
	}
	a["example.com/description"] = text
	return a
}

func (m *maker) version() string {
	return fmt.Sprintf("%d.%d.%d", 1+m.IntN(9), m.IntN(20), m.IntN(10))
}
