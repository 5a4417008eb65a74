package fleet

import "fmt"

func (m *maker) pod() Object {
	labels, spec := m.labels(), m.podSpec()
	violates := m.spoil(labels, spec)
	return Object{map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": m.meta(labels, m.annotations()), "spec": spec,
	}, violates}
}

func (m *maker) deployment() Object {
	labels, spec := m.labels(), m.podSpec()
	violates := m.spoil(labels, spec)
	labels["example.com/of"] = m.name
	return Object{map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": m.meta(m.labels(), m.annotations()),
		"spec": map[string]any{
			"replicas": int64(1 + m.IntN(5)), "revisionHistoryLimit": int64(3),
			"selector": map[string]any{"matchLabels": map[string]any{"example.com/of": m.name}},
			"strategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": "25%", "maxUnavailable": int64(0)}},
			"template": map[string]any{"metadata": map[string]any{"labels": labels, "annotations": m.annotations()}, "spec": spec},
		},
	}, violates}
}

func (m *maker) podSpec() map[string]any {
	containers := []any{m.container(m.app, 0)}
	if m.IntN(4) == 0 {
		containers = append(containers, m.container("sidecar", 1))
	}
	spec := map[string]any{
		"serviceAccountName": m.name, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": int64(30),
		"securityContext": map[string]any{
			"runAsNonRoot": true, "runAsUser": int64(10001), "runAsGroup": int64(10001), "fsGroup": int64(10001),
			"seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		"containers": containers,
		"volumes": []any{
			map[string]any{"name": "config", "configMap": map[string]any{"name": m.name}},
			map[string]any{"name": "scratch", "emptyDir": map[string]any{"sizeLimit": "64Mi"}},
		},
		"tolerations": []any{map[string]any{"key": "example.com/team", "operator": "Equal", "value": m.team, "effect": "NoSchedule"}},
		"affinity": map[string]any{"podAntiAffinity": map[string]any{"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{
			"weight": int64(100), "podAffinityTerm": map[string]any{
				"topologyKey":   "kubernetes.io/hostname",
				"labelSelector": map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/instance": m.name}},
			},
		}}}},
	}
	if m.IntN(5) == 0 {
		c := m.container("prepare", 2)
		for _, field := range []string{"livenessProbe", "readinessProbe", "ports"} {
			delete(c, field)
		}
		spec["initContainers"] = []any{c}
	}
	return spec
}

func (m *maker) container(name string, number int) map[string]any {
	registry := pick(m, []string{"eu.foo.io/", "bar.io/"})
	env := []any{
		map[string]any{"name": "POD_NAME", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "metadata.name"}}},
		map[string]any{"name": "DB_PASSWORD", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": m.name, "key": "password"}}},
	}
	for i := range 3 + m.IntN(7) {
		env = append(env, map[string]any{"name": fmt.Sprintf("OPTION_%d", i), "value": m.hex(8 + m.IntN(24))})
	}
	probe := func(path string) map[string]any {
		return map[string]any{"httpGet": map[string]any{"path": path, "port": "http"}, "periodSeconds": int64(10), "timeoutSeconds": int64(2)}
	}
	return map[string]any{
		"name": name, "image": registry + m.team + "/" + m.app + ":" + m.version(), "imagePullPolicy": "IfNotPresent",
		"args":  []any{"--config=/etc/app/config.yaml", "--log-level=info", fmt.Sprintf("--listen=:%d", 8080+number)},
		"ports": []any{map[string]any{"name": "http", "containerPort": int64(8080 + number), "protocol": "TCP"}},
		"env":   env,
		"resources": map[string]any{
			"requests": map[string]any{"cpu": fmt.Sprintf("%dm", 50*(1+m.IntN(5))), "memory": fmt.Sprintf("%dMi", 64<<m.IntN(3))},
			"limits":   map[string]any{"cpu": "1", "memory": fmt.Sprintf("%dMi", 256<<m.IntN(3))},
		},
		"livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"),
		"securityContext": map[string]any{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true, "runAsUser": int64(10001),
			"capabilities": map[string]any{"drop": []any{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		"volumeMounts": []any{
			map[string]any{"name": "config", "mountPath": "/etc/app", "readOnly": true}, map[string]any{"name": "scratch", "mountPath": "/tmp"},
		},
	}
}
