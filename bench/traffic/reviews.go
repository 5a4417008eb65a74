package traffic

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
)

type object = map[string]any

// resources are what is sent, by kind. Others of a file are left out: an API server asks a webhook about what policies
// select, and these are the kinds that nearly all do.
var resources = map[string]struct{ group, version, plural string }{
	"Pod":        {"", "v1", "pods"},
	"Deployment": {"apps", "v1", "deployments"},
}

// Reviews are the reviews of creating the Pods and Deployments of the file that ObjectsVariable names; without it, of
// one of each.
func Reviews() ([][]byte, error) {
	name := os.Getenv(ObjectsVariable)
	if name == "" {
		return usual()
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the objects of %s: %w", ObjectsVariable, err)
	}
	defer file.Close() // it was only read
	var out [][]byte
	lines := bufio.NewScanner(file)
	const longest = 4 << 20 // above the largest object that an API server takes
	lines.Buffer(nil, longest)
	for lines.Scan() {
		var line struct {
			Obj object `json:"obj"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, sent := resources[line.Obj["kind"].(string)]; sent {
			review, err := Review(line.Obj)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out = append(out, review)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// Review is the review of creating a Pod or a Deployment.
func Review(o object) ([]byte, error) {
	kind, _ := o["kind"].(string)
	is, known := resources[kind]
	meta, named := o["metadata"].(object)
	if !known || !named {
		return nil, fmt.Errorf("%q: expected a Pod or a Deployment with metadata", kind)
	}
	of := object{"group": is.group, "version": is.version, "kind": kind}
	in := object{"group": is.group, "version": is.version, "resource": is.plural}
	return json.Marshal(object{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request{
		UID: "705ab4f5-6393-11e8-b7cc-42010a800002", Kind: of, Resource: in, RequestKind: of, RequestResource: in,
		Name: meta["name"], Namespace: meta["namespace"], Operation: "CREATE",
		UserInfo: object{
			"username": "system:serviceaccount:ci:deployer", "uid": "8b1f1e0c-2f64-4b3c-a4c5-0d6a0b9c7a11",
			"groups": []string{"system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"},
		},
		Object: o, DryRun: false,
		Options: object{"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-client-side-apply", "fieldValidation": "Strict"},
	}})
}

// Updates makes of reviews of what is created those of a change of it: of a label.
func Updates(reviews [][]byte) ([][]byte, error) {
	out := make([][]byte, len(reviews))
	for i, raw := range reviews {
		var review struct {
			Kind       string  `json:"kind"`
			APIVersion string  `json:"apiVersion"`
			Request    request `json:"request"`
		}
		if err := json.Unmarshal(raw, &review); err != nil {
			return nil, fmt.Errorf("reading a review: %w", err)
		}
		r := &review.Request
		before, meta := maps.Clone(r.Object), maps.Clone(r.Object["metadata"].(object))
		meta["labels"] = object{"was": "another"}
		before["metadata"] = meta
		r.Operation, r.OldObject = "UPDATE", before
		r.Options = object{"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-client-side-apply", "fieldValidation": "Strict"}
		var err error
		if out[i], err = json.Marshal(&review); err != nil {
			return nil, fmt.Errorf("writing a review: %w", err)
		}
	}
	return out, nil
}

// request has the fields in the order in which an API server writes them.
type request struct {
	UID             string `json:"uid"`
	Kind            object `json:"kind"`
	Resource        object `json:"resource"`
	RequestKind     object `json:"requestKind"`
	RequestResource object `json:"requestResource"`
	Name            any    `json:"name"`
	Namespace       any    `json:"namespace"`
	Operation       string `json:"operation"`
	UserInfo        object `json:"userInfo"`
	Object          object `json:"object"`
	OldObject       object `json:"oldObject"`
	DryRun          bool   `json:"dryRun"`
	Options         object `json:"options"`
}

// usual are the reviews of a Pod of the usual size, about 3 KiB, and of a Deployment of it.
func usual() ([][]byte, error) {
	containers := make([]object, 3)
	for i := range containers {
		containers[i] = object{
			"name": fmt.Sprintf("c%d", i), "image": "registry.example.com/team/app:1.2.3", "imagePullPolicy": "IfNotPresent",
			"env":            []object{{"name": "A", "value": "a"}, {"name": "B", "valueFrom": object{"secretKeyRef": object{"name": "s", "key": "k"}}}},
			"resources":      object{"requests": object{"cpu": "100m", "memory": "128Mi"}, "limits": object{"memory": "256Mi"}},
			"readinessProbe": object{"httpGet": object{"path": "/", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1},
			"volumeMounts":   []object{{"name": "data", "mountPath": "/data"}, {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}},
		}
	}
	meta := func() object {
		return object{"name": "web", "namespace": "team-a", "labels": object{"app.kubernetes.io/name": "web", "team": "a"}}
	}
	spec := object{
		"containers": containers, "serviceAccountName": "default", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
		"terminationGracePeriodSeconds": 30, "tolerations": []object{{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}},
		"volumes": []object{{"name": "data", "emptyDir": object{}}, {"name": "token", "projected": object{"sources": []object{{"serviceAccountToken": object{"path": "token"}}}}}},
	}
	var out [][]byte
	for _, o := range []object{
		{"apiVersion": "v1", "kind": "Pod", "metadata": meta(), "spec": spec},
		{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(), "spec": object{
			"replicas": 2, "selector": object{"matchLabels": object{"team": "a"}}, "template": object{"metadata": object{"labels": object{"team": "a"}}, "spec": spec},
		}},
	} {
		review, err := Review(o)
		if err != nil {
			return nil, err
		}
		out = append(out, review)
	}
	return out, nil
}

// Namespaces lists those that the reviews are about.
func Namespaces(reviews [][]byte) ([]string, error) {
	seen := map[string]struct{}{}
	var out []string
	for _, raw := range reviews {
		var review struct{ Request struct{ Namespace string } }
		if err := json.Unmarshal(raw, &review); err != nil {
			return nil, err
		}
		ns := review.Request.Namespace
		if _, known := seen[ns]; !known && strings.TrimSpace(ns) != "" {
			seen[ns] = struct{}{}
			out = append(out, ns)
		}
	}
	return out, nil
}
