package engine_test

import (
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// grown generates an object: a Pod, or something that makes Pods, with any of the fields that policies look at, each
// with a value that one could write there, and now and then with one that nobody would.
func grown(t *rapid.T) map[string]any {
	spec := podSpec(t)
	object := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata(t)}
	switch rapid.SampledFrom([]string{"Pod", "Deployment", "Job", "CronJob"}).Draw(t, "kind") {
	case "Deployment":
		object["apiVersion"], object["kind"] = "apps/v1", "Deployment"
		spec = map[string]any{"replicas": 2.0, "template": map[string]any{"metadata": metadata(t), "spec": spec}}
	case "Job":
		object["apiVersion"], object["kind"] = "batch/v1", "Job"
		spec = map[string]any{"template": map[string]any{"metadata": metadata(t), "spec": spec}}
	case "CronJob":
		object["apiVersion"], object["kind"] = "batch/v1", "CronJob"
		spec = map[string]any{"schedule": "@daily", "jobTemplate": map[string]any{"spec": map[string]any{"template": map[string]any{"spec": spec}}}}
	}
	object["spec"] = spec
	return object
}

// some sets fields, each or not.
func some(t *rapid.T, into map[string]any, fields map[string][]any) map[string]any {
	for _, name := range sortedKeys(fields) {
		if rapid.Bool().Draw(t, name) {
			into[name] = rapid.SampledFrom(fields[name]).Draw(t, name+" is")
		}
	}
	return into
}

func metadata(t *rapid.T) map[string]any {
	meta := map[string]any{"name": "web", "namespace": "shop"}
	for _, part := range []string{"labels", "annotations"} {
		if rapid.Bool().Draw(t, part) {
			meta[part] = some(t, map[string]any{}, map[string][]any{
				"app": {"web", "", "w*"}, "team": {"blue", "red", "green"}, "app.kubernetes.io/name": {"web"}, "c-a": {"x"}, "{{ x }}": {"$(y)"},
			})
		}
	}
	return meta
}

func podSpec(t *rapid.T) map[string]any {
	spec := some(t, map[string]any{}, map[string][]any{
		"hostNetwork": {true, false, nil}, "hostPID": {true, false}, "serviceAccountName": {"web", "default"}, "automountServiceAccountToken": {true, false},
		"securityContext": {map[string]any{"runAsNonRoot": true}, map[string]any{}, map[string]any{"runAsUser": 0.0, "seccompProfile": map[string]any{"type": "Unconfined"}}},
		"volumes":         {[]any{}, []any{map[string]any{"name": "v", "hostPath": map[string]any{"path": "/"}}}, []any{map[string]any{"name": "v", "emptyDir": map[string]any{}}}},
		"nodeSelector":    {map[string]any{"zone": "a"}},
	})
	for _, kind := range []string{"containers", "initContainers", "ephemeralContainers"} {
		n := rapid.IntRange(0, 3).Draw(t, kind)
		if n == 0 && kind != "containers" {
			continue
		}
		list := make([]any, n)
		for i := range list {
			list[i] = container(t, fmt.Sprintf("%c", 'a'+i))
		}
		spec[kind] = list
	}
	return spec
}

func container(t *rapid.T, name string) map[string]any {
	return some(t, map[string]any{"name": name}, map[string][]any{
		"image":           {"nginx", "nginx:1.2", "nginx:latest", "ghcr.io/acme/shop:v1", "registry.k8s.io/pause@sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a", "", "a b"},
		"imagePullPolicy": {"Always", "IfNotPresent"},
		"resources":       {map[string]any{"limits": map[string]any{"memory": "1Gi"}, "requests": map[string]any{"memory": "512Mi", "cpu": "100m"}}, map[string]any{"limits": map[string]any{"memory": 5.0}}, map[string]any{}, nil},
		"securityContext": {map[string]any{"privileged": true}, map[string]any{"privileged": false, "capabilities": map[string]any{"drop": []any{"ALL"}, "add": []any{"NET_ADMIN"}}}, map[string]any{"allowPrivilegeEscalation": false}, "none"},
		"ports":           {[]any{map[string]any{"containerPort": 80.0, "hostPort": 80.0}}, []any{map[string]any{"containerPort": 80.0}}, []any{nil}},
		"env":             {[]any{map[string]any{"name": "A", "value": "1"}}, []any{map[string]any{"name": "S", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "s", "key": "k"}}}}, []any{}},
		"readinessProbe":  {map[string]any{"tcpSocket": map[string]any{"port": 80.0}}, nil},
	})
}

func sortedKeys(m map[string][]any) []string { return slices.Sorted(maps.Keys(m)) }
