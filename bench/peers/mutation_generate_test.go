package peers

import "math/rand/v2"

type (
	object = map[string]any
	list   = []any
)

// mutationGenerator generates Pods, objects of a kind that nobody knows, and strategic patches that are about them.
// It leaves out nested lists below a condition, where the peer shares what it merges between elements.
type mutationGenerator struct {
	r   *rand.Rand
	crd bool // the object in hand is of no built-in kind, so that its lists are replaced
}

func (g *mutationGenerator) maybe(p float64) bool { return g.r.Float64() < p }

// perm gives some of the names, in any order.
func (g *mutationGenerator) perm(names ...string) []string {
	g.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:g.r.IntN(len(names)+1)]
}

func (g *mutationGenerator) strmap(patch bool) object {
	m := object{}
	for _, k := range g.perm("k1", "k2", "k3", "k4") {
		if patch && g.maybe(.2) {
			m[k] = nil
		} else {
			m[k] = pick(g.r, "u", "v", "w*")
		}
	}
	if len(m) == 0 {
		m["k0"] = "z"
	}
	return m
}

func (g *mutationGenerator) env(patch bool) list {
	l := list{}
	for _, n := range g.perm("A", "B", "C") {
		e := object{"name": n}
		if patch && !g.crd && g.maybe(.2) {
			e["$patch"] = "delete"
		} else if g.maybe(.7) {
			e["value"] = pick(g.r, "one", "two")
		}
		l = append(l, e)
	}
	return l
}

func (g *mutationGenerator) ports() list {
	l := list{}
	for _, n := range g.perm("80/TCP", "80/UDP", "81/TCP") {
		l = append(l, object{"containerPort": map[string]float64{"80/TCP": 80, "80/UDP": 80, "81/TCP": 81}[n], "protocol": n[3:], "hostIP": pick(g.r, "x", "z")})
	}
	return l
}

func (g *mutationGenerator) container(name string, patch bool) object {
	c := object{}
	if name != "" {
		c["name"] = name
	}
	if g.maybe(.6) {
		c["image"] = pick(g.r, "i:latest", "i:v1", "j:latest")
	}
	if g.maybe(.4) {
		c["env"] = g.env(patch)
	}
	if g.maybe(.3) {
		c["ports"] = g.ports()
	}
	if g.maybe(.3) {
		c["args"] = list{pick(g.r, "p", "q")}
	}
	if g.maybe(.3) {
		c["securityContext"] = object{"caps": object{"drop": list{pick(g.r, "ALL", "NET")}}, "user": pick(g.r, "root", "me")}
	}
	if patch && g.maybe(.15) {
		c["image"] = nil
	}
	return c
}

func (g *mutationGenerator) pod() object {
	spec := object{}
	cs := list{}
	for _, n := range g.perm("a", "b", "c", "ab") {
		cs = append(cs, g.container(n, false))
	}
	if len(cs) == 0 {
		cs = list{g.container("a", false)}
	}
	spec["containers"] = cs
	if g.maybe(.5) {
		spec["nodeSelector"] = g.strmap(false)
	}
	if g.maybe(.5) {
		spec["tolerations"] = list{object{"key": pick(g.r, "t", "u")}}
	}
	if g.maybe(.5) {
		v := list{}
		for _, n := range g.perm("v1", "v2", "v3") {
			v = append(v, object{"name": n, "emptyDir": object{"medium": pick(g.r, "Mem", "Disk")}})
		}
		if len(v) > 0 {
			spec["volumes"] = v
		}
	}
	md := object{"name": "p"}
	if g.maybe(.5) {
		md["labels"] = g.strmap(false)
	}
	if g.maybe(.3) {
		md["finalizers"] = list{"f1", "f2"}
	}
	kind, av := "Pod", "v1"
	if g.maybe(.2) {
		kind, av = "Widget", "x.io/v1"
	}
	return object{"apiVersion": av, "kind": kind, "metadata": md, "spec": spec}
}

func (g *mutationGenerator) patch(o object) object {
	g.crd = o["kind"] == "Widget"
	p := object{}
	md := object{}
	if g.maybe(.5) {
		l := g.strmap(true)
		if g.maybe(.3) {
			l["(k1)"] = pick(g.r, "u", "?*", "!u", "u|v")
			delete(l, "k1")
		}
		if g.maybe(.3) {
			l["+(k2)"] = "added"
			delete(l, "k2")
		}
		md["labels"] = l
	}
	if g.maybe(.2) {
		md["finalizers"] = list{pick(g.r, "f1", "f3")}
	}
	if g.maybe(.1) {
		md["<(name)"] = pick(g.r, "p", "q*", "!p")
	}
	if len(md) > 0 {
		p["metadata"] = md
	}
	spec := object{}
	if g.maybe(.4) {
		spec["nodeSelector"] = g.strmap(true)
	}
	if g.maybe(.1) {
		spec["nodeSelector"] = object{"$patch": pick(g.r, "delete", "replace"), "kk": "z"}
	}
	if g.maybe(.2) {
		spec["tolerations"] = list{object{"key": pick(g.r, "t", "u", "n")}}
	}
	if g.maybe(.2) {
		spec["tolerations"] = nil
	}
	if g.maybe(.2) {
		spec["+(host)"] = "yes-"
	}
	if g.maybe(.2) {
		v := list{}
		for _, n := range g.perm("v1", "v4") {
			v = append(v, object{"name": n, "emptyDir": object{"medium": pick(g.r, "Mem", "Disk")}})
		}
		if len(v) > 0 {
			spec["volumes"] = v
		}
	}
	if g.maybe(.2) {
		spec["volumes"] = list{object{"<(emptyDir)": object{"medium": pick(g.r, "Mem", "Disk", "*")}}}
	}

	switch {
	case g.maybe(.5):
		cs := list{}
		for _, n := range g.perm("a", "b", "new") {
			c := g.container(n, true)
			if g.maybe(.1) && !g.crd {
				c = object{"name": n, "$patch": "delete"}
			}
			if len(c) > 0 {
				cs = append(cs, c)
			}
		}
		if len(cs) > 0 {
			spec["containers"] = cs
		}
	case g.maybe(.6) && !g.crd:
		c := g.container("", true)
		delete(c, "env")
		delete(c, "ports") // nested merges are shared between elements by the peer
		c["(name)"] = pick(g.r, "*", "a*", "b", "!a", "zz")
		if g.maybe(.4) {
			delete(c, "image")
			c["(image)"] = pick(g.r, "*:latest", "i:*", "j:*|i:v1")
		}
		if _, ok := c["securityContext"]; !ok && g.maybe(.3) {
			c["env"] = list{object{"name": "Z", "value": "one"}}
		}
		spec["containers"] = list{c}
	}
	if len(spec) > 0 {
		p["spec"] = spec
	}
	return p
}

// value gives any JSON value, nested at most so deep.
func (g *mutationGenerator) value(depth int) any {
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch g.r.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return "s"
	case 2:
		return float64(g.r.IntN(3))
	case 3:
		return true
	case 4:
		return "t"
	case 5:
		m := object{}
		for _, k := range g.perm("a", "b", "c") {
			m[k] = g.value(depth - 1)
		}
		return m
	default:
		l := list{}
		for range g.r.IntN(3) {
			l = append(l, g.value(depth-1))
		}
		return l
	}
}

func (g *mutationGenerator) pointer() string {
	path := ""
	for range 1 + g.r.IntN(3) {
		path += "/" + pick(g.r, "a", "b", "c", "0", "1", "-1", "-", "2")
	}
	return path
}

// operations gives a JSON patch for values of the keys a, b and c.
func (g *mutationGenerator) operations() list {
	var ops list
	for range 1 + g.r.IntN(2) {
		ops = append(ops, object{
			"op":   pick(g.r, "add", "add", "remove", "replace", "move", "copy", "test"),
			"path": g.pointer(), "from": g.pointer(), "value": g.value(1),
		})
	}
	return ops
}
