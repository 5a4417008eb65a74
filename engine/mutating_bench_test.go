package engine

import "testing"

// BenchmarkMutatingPolicy shows what one policy costs on one Pod at admission, its patch included.
func BenchmarkMutatingPolicy(b *testing.B) {
	const pod = `{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [
		{name: web, image: "registry.example.com/web:1.2.3", ports: [{containerPort: 8080}], securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}},
		{name: proxy, image: "registry.example.com/proxy:4.5", ports: [{containerPort: 15000}], securityContext: {allowPrivilegeEscalation: false}}]}}`
	for name, spec := range map[string]string{
		"an ApplyConfiguration": onResources("", "pods") + applying(`Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, imagePullPolicy: "Always"})}}`),
		"a JSONPatch":           onResources("", "pods") + patching(`[JSONPatch{op: "add", path: "/metadata/labels/team", value: "blue"}]`),
	} {
		b.Run(name, func(b *testing.B) {
			s, req, in := mutatingSnapshot(b, "", spec), asking(b, pod), world{}.inputs()
			b.ReportAllocs()
			for b.Loop() {
				m, err := s.Mutate(b.Context(), req, in)
				if err != nil || len(m.Patch) == 0 {
					b.Fatal(err, m.Decisions)
				}
			}
		})
	}
}
