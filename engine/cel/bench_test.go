package cel

import "testing"

const benchPod = `
metadata: {name: web, namespace: shop, labels: {app.kubernetes.io/name: web}}
spec:
  hostNetwork: false
  containers:
    - {name: web, image: "registry.example.com/web:1.2.3", ports: [{containerPort: 8080}], securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
    - {name: proxy, image: "registry.example.com/proxy:4.5", ports: [{containerPort: 15000}], securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
`

// BenchmarkEvaluate shows what one rule costs on one Pod, compilation apart.
func BenchmarkEvaluate(b *testing.B) {
	for name, src := range map[string]Source{
		"a field":                one("object.spec.hostNetwork == false"),
		"an optional field":      one("object.spec.?hostPID.orValue(false) == false"),
		"a look at containers":   one("object.spec.containers.all(c, c.image.startsWith('registry.example.com/'))"),
		"numbers of all ports":   one("object.spec.containers.all(c, !has(c.ports) || c.ports.all(p, p.containerPort > 1024))"),
		"a variable, used twice": withVariables(one("variables.all.all(c, has(c.securityContext)) && size(variables.all) < 10"), "all", "object.spec.containers + object.spec.?initContainers.orValue([])"),
	} {
		b.Run(name, func(b *testing.B) {
			rule := mustCompile(b, src)
			in := &Input{Object: parse(b, benchPod)}
			b.ReportAllocs()
			for b.Loop() {
				if r := rule.Evaluate(b.Context(), in); r.Outcome != Pass {
					b.Fatal(line(r))
				}
			}
		})
	}
}

// BenchmarkLibraries shows what a look-up adds to a validation of Kyverno's language, its answer apart.
func BenchmarkLibraries(b *testing.B) {
	const where = "object.metadata.namespace == 'shop'"
	for name, src := range map[string]Source{
		"no look-up":  kyverno(where),
		"a look-up":   withVariables(kyverno(where+" && variables.settings.data.tier == 'gold'"), "settings", "resource.Get('v1', 'configmaps', object.metadata.namespace, 'settings')"),
		"an image":    kyverno("object.spec.containers.all(c, image(c.image).registry() == 'registry.example.com')"),
		"JSON, twice": kyverno("json.unmarshal(json.marshal(object.metadata.labels)).size() == 1"),
	} {
		b.Run(name, func(b *testing.B) {
			rule := mustCompile(b, src)
			in := &Input{Object: parse(b, benchPod), World: quiet{shop()}}
			b.ReportAllocs()
			for b.Loop() {
				if r := rule.Evaluate(b.Context(), in); r.Outcome != Pass {
					b.Fatal(line(r))
				}
			}
		})
	}
}

// quiet is a world that writes nothing down.
type quiet struct{ *aWorld }

func (q quiet) Get(string, string, string, string) (map[string]any, error) {
	return q.objects["v1 configmaps shop/settings"], nil
}
