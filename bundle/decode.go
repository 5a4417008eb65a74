package bundle

import (
	"encoding/json"
	"fmt"
	"reflect"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// defaultNamespace is where kubectl puts a Policy that names no namespace.
const defaultNamespace = "default"

// decode turns a document into a typed policy, strictly.
func decode(d *manifest.Document) (src kyvernov1.PolicyInterface, problems, warnings []engine.Problem) {
	warnings = settle(d)
	switch d.Kind() {
	case clusterPolicy:
		src = &kyvernov1.ClusterPolicy{}
	default:
		src = &kyvernov1.Policy{}
	}
	if problems = decodeInto(d, src); len(problems) > 0 {
		return nil, problems, warnings
	}
	return src, nil, warnings
}

// decodeInto decodes a document into the type that a pointer points to, strictly.
func decodeInto(d *manifest.Document, into any) []engine.Problem {
	if problems := checkShape(d.Object, reflect.TypeOf(into)); len(problems) > 0 {
		return problems
	}
	raw, err := json.Marshal(d.Object)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return []engine.Problem{{Message: fmt.Sprintf("cannot be read: %s", err)}}
	}
	return nil
}

// settle drops what a cluster writes into a policy and no author does, and puts the policy where it
// belongs: a Policy rules one namespace, a ClusterPolicy is in none.
func settle(d *manifest.Document) (warnings []engine.Problem) {
	delete(d.Object, "status")
	meta, ok := d.Object["metadata"].(map[string]any)
	if !ok {
		return nil
	}
	for _, key := range []string{"managedFields", "creationTimestamp", "resourceVersion", "uid", "generation", "selfLink"} {
		delete(meta, key)
	}
	namespace, has := meta["namespace"]
	path := []any{"metadata", "namespace"}
	switch {
	case d.Kind() == clusterPolicy && has && namespace != "":
		delete(meta, "namespace")
		warnings = append(warnings, engine.Problem{Path: path, Message: "is ignored: a ClusterPolicy is in no namespace"})
	case d.Kind() == policy && (namespace == nil || namespace == ""):
		meta["namespace"] = defaultNamespace
		warnings = append(warnings, engine.Problem{Path: path, Message: "is missing: the policy is taken to be in the namespace " + defaultNamespace})
	}
	return warnings
}

// name is how problems call the document: ClusterPolicy/require-labels, Policy/team-a/require-labels.
func name(d *manifest.Document) string {
	meta, _ := d.Object["metadata"].(map[string]any)
	out := d.Kind()
	for _, key := range []string{"namespace", "name"} {
		if s, _ := meta[key].(string); s != "" && (key == "name" || d.Kind() != clusterPolicy) {
			out += "/" + s
		}
	}
	return out
}
