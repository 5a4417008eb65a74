package fleet

import (
	"fmt"
	"strings"
)

func namespace(seed uint64, i int) Object {
	m := newMaker(seed, i)
	m.name = namespaceName(i)
	m.team = teams[i%len(teams)]
	m.app = "team"
	return Object{Content: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
		"name": m.name, "annotations": m.wordy(),
		"labels": map[string]any{"example.com/team": m.team, "example.com/tier": tiers[i%len(tiers)]},
	}}}
}

func (m *maker) service() Object {
	spec := map[string]any{"type": "ClusterIP", "selector": map[string]any{"app.kubernetes.io/instance": m.name}}
	var ports []any
	for i := range 1 + m.IntN(4) {
		ports = append(ports, map[string]any{"name": fmt.Sprintf("p%d", i), "port": int64(80 + i), "targetPort": int64(8080 + i), "protocol": "TCP"})
	}
	var violates []string
	if m.spoilt {
		// Of one port only: there are as many node ports as ports.
		spec["type"], ports, violates = "NodePort", ports[:1], []string{"node port"}
	}
	spec["ports"] = ports
	return Object{map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": m.meta(m.labels(), m.wordy()), "spec": spec}, violates}
}

func (m *maker) configMap() Object {
	var text strings.Builder
	for i := range 30 + m.IntN(40) {
		fmt.Fprintf(&text, "%s.%d: %s\n", pick(m, apps), i, m.hex(24))
	}
	return Object{Content: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": m.meta(m.labels(), m.annotations()), "data": map[string]any{"config.yaml": text.String()},
	}}
}

func (m *maker) ingress() Object {
	host := m.name + ".example.com"
	var paths []any
	for i := range 1 + m.IntN(6) {
		paths = append(paths, map[string]any{
			"path": fmt.Sprintf("/%s/%d", pick(m, apps), i), "pathType": "Prefix",
			"backend": map[string]any{"service": map[string]any{"name": m.name, "port": map[string]any{"number": int64(80)}}},
		})
	}
	rule := map[string]any{"host": host, "http": map[string]any{"paths": paths}}
	var violates []string
	if m.spoilt {
		delete(rule, "host")
		violates = []string{"no host"}
	}
	return Object{map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": m.meta(m.labels(), m.wordy()),
		"spec": map[string]any{
			"ingressClassName": "nginx", "rules": []any{rule},
			"tls": []any{map[string]any{"hosts": []any{host}, "secretName": m.name + "-tls"}},
		},
	}, violates}
}
