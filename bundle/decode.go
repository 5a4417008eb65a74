package bundle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// defaultNamespace is where kubectl puts an object that names no namespace.
const defaultNamespace = "default"

// decode checks a document strictly against the shape of the version that it is written in.
func decode(d *manifest.Document, shape reflect.Type) (problems, warnings []engine.Problem) {
	warnings = settle(d)
	return append(checkShape(d.Object, shape), checkReconcile(d)...), warnings
}

// compile compiles a document that has the shape of its kind.
func compile(c *engine.Compiler, d *manifest.Document) (Loaded, error) {
	l := Loaded{Document: d.Object}
	var err error
	switch d.Kind() {
	case clusterPolicy:
		err = into(d, &kyvernov1.ClusterPolicy{}, func(src *kyvernov1.ClusterPolicy) (err error) {
			l.source = src
			l.Policy, err = c.Compile(src, d.Object)
			return err
		})
	case policy:
		err = into(d, &kyvernov1.Policy{}, func(src *kyvernov1.Policy) (err error) {
			l.source = src
			l.Policy, err = c.Compile(src, d.Object)
			return err
		})
	case validatingPolicy:
		err = into(d, &policiesv1beta1.ValidatingPolicy{}, func(src *policiesv1beta1.ValidatingPolicy) (err error) {
			l.Policy, err = c.CompileValidating(src)
			return err
		})
	case namespacedValidatingPolicy:
		err = into(d, &policiesv1beta1.NamespacedValidatingPolicy{}, func(src *policiesv1beta1.NamespacedValidatingPolicy) (err error) {
			l.Policy, err = c.CompileValidating(src)
			return err
		})
	case mutatingPolicy:
		err = into(d, &policiesv1beta1.MutatingPolicy{}, func(src *policiesv1beta1.MutatingPolicy) (err error) {
			l.Policy, err = c.CompileMutating(src)
			return err
		})
	case namespacedMutatingPolicy:
		err = into(d, &policiesv1beta1.NamespacedMutatingPolicy{}, func(src *policiesv1beta1.NamespacedMutatingPolicy) (err error) {
			l.Policy, err = c.CompileMutating(src)
			return err
		})
	case generatingPolicy:
		err = into(d, &policiesv1beta1.GeneratingPolicy{}, func(src *policiesv1beta1.GeneratingPolicy) (err error) {
			l.Policy, err = c.CompileGenerating(src, d.Object)
			return err
		})
	case namespacedGeneratingPolicy:
		err = into(d, &policiesv1beta1.NamespacedGeneratingPolicy{}, func(src *policiesv1beta1.NamespacedGeneratingPolicy) (err error) {
			l.Policy, err = c.CompileGenerating(src, d.Object)
			return err
		})
	case deletingPolicy:
		err = into(d, &policiesv1beta1.DeletingPolicy{}, func(src *policiesv1beta1.DeletingPolicy) (err error) {
			l.Policy, err = c.CompileDeleting(src)
			return err
		})
	case namespacedDeletingPolicy:
		err = into(d, &policiesv1beta1.NamespacedDeletingPolicy{}, func(src *policiesv1beta1.NamespacedDeletingPolicy) (err error) {
			l.Policy, err = c.CompileDeleting(src)
			return err
		})
	case imageValidatingPolicy:
		err = into(d, &policiesv1beta1.ImageValidatingPolicy{}, func(src *policiesv1beta1.ImageValidatingPolicy) (err error) {
			l.Policy, err = c.CompileImageValidating(src)
			return err
		})
	case namespacedImageValidatingPolicy:
		err = into(d, &policiesv1beta1.NamespacedImageValidatingPolicy{}, func(src *policiesv1beta1.NamespacedImageValidatingPolicy) (err error) {
			l.Policy, err = c.CompileImageValidating(src)
			return err
		})
	case clusterCleanupPolicy:
		err = into(d, &kyvernov2.ClusterCleanupPolicy{}, func(src *kyvernov2.ClusterCleanupPolicy) (err error) {
			l.Policy, err = c.CompileCleanup(src, d.Object)
			return err
		})
	case cleanupPolicy:
		err = into(d, &kyvernov2.CleanupPolicy{}, func(src *kyvernov2.CleanupPolicy) (err error) {
			l.Policy, err = c.CompileCleanup(src, d.Object)
			return err
		})
	case policyException:
		if groupOf(d.Object) == PoliciesGroup {
			err = into(d, &policiesv1beta1.PolicyException{}, func(src *policiesv1beta1.PolicyException) (err error) {
				l.Exception, err = c.CompileCELException(src)
				return err
			})
			break
		}
		err = into(d, &kyvernov2.PolicyException{}, func(src *kyvernov2.PolicyException) (err error) {
			l.Exception, err = c.CompileException(src, d.Object)
			return err
		})
	case globalContextEntry:
		err = into(d, &kyvernov2.GlobalContextEntry{}, func(src *kyvernov2.GlobalContextEntry) (err error) {
			l.GlobalContext, err = c.CompileGlobalContext(src)
			return err
		})
	default:
		err = l.compileAdmission(c, d)
	}
	return l, err
}

// into decodes the document into the type that is compiled.
func into[T any](d *manifest.Document, src *T, compile func(*T) error) error {
	raw, err := json.Marshal(d.Object)
	if err == nil {
		err = json.Unmarshal(raw, src)
	}
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	return compile(src)
}

// groupOf is the group of a document: there are exceptions in two.
func groupOf(document map[string]any) string {
	group, _, _ := strings.Cut(textAt(document, "apiVersion"), "/")
	return group
}

// settle drops what a cluster writes into an object and no author does, and puts the object where it belongs: a
// Policy rules one namespace, a ClusterPolicy is in none.
func settle(d *manifest.Document) (warnings []engine.Problem) {
	delete(d.Object, "status")
	meta, ok := d.Object["metadata"].(map[string]any)
	if !ok {
		return nil
	}
	// creationTimestamp and resourceVersion stay: generate rules tell by them which triggers are older.
	for _, key := range []string{"managedFields", "uid", "generation", "selfLink"} {
		delete(meta, key)
	}
	namespace, has := meta["namespace"]
	path := []any{"metadata", "namespace"}
	what := "policy"
	if d.Kind() == policyException {
		what = "exception"
	}
	switch {
	case clusterScoped(d.Kind()) && has && namespace != "":
		delete(meta, "namespace")
		warnings = append(warnings, engine.Problem{Path: path, Message: "is ignored: a " + d.Kind() + " is in no namespace"})
	case !clusterScoped(d.Kind()) && (namespace == nil || namespace == ""):
		meta["namespace"] = defaultNamespace
		warnings = append(warnings, engine.Problem{Path: path, Message: "is missing: the " + what + " is taken to be in the namespace " + defaultNamespace})
	}
	return warnings
}

// name is how problems call the document: ClusterPolicy/require-labels, Policy/team-a/require-labels.
func name(d *manifest.Document) string {
	meta, _ := d.Object["metadata"].(map[string]any)
	out := d.Kind()
	for _, key := range []string{"namespace", "name"} {
		if s, _ := meta[key].(string); s != "" && (key == "name" || !clusterScoped(d.Kind())) {
			out += "/" + s
		}
	}
	return out
}
