package chainsaw

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// unable are scripts that need more than an API server with controllers, and nodes that take commands (kubectl exec, cp),
// each with the reason.
var unable = []struct {
	pattern *regexp.Regexp
	reason  string
}{
	// A script that debugs a pod is to be refused. Where it is not, it waits for the container until its time is over.
	{regexp.MustCompile(`kubectl (logs|attach|port-forward)\b`), "a script needs a kubelet that runs containers"},
	{regexp.MustCompile(`\bkyverno (jp|apply|test)\b`), "a script needs Kyverno's own program"},
}

// program finds one of the test's own that a script runs.
var program = regexp.MustCompile(`(?:^|\s)\./([-\w]+\.sh)\b`)

// Skip says why a test cannot be run, or nothing.
func (t *Test) Skip() string {
	for _, step := range t.Steps {
		for _, o := range slices.Concat(step.Try, step.Finally, step.Cleanup) {
			if reason := t.skip(&o); reason != "" {
				return reason
			}
		}
	}
	return ""
}

func (t *Test) skip(o *Operation) string {
	if o.Unknown != "" {
		return "the operation " + o.Unknown + " is not understood"
	}
	if o.Script != nil {
		for _, u := range unable {
			if u.pattern.MatchString(o.Script.Content) {
				return u.reason
			}
		}
		if found := program.FindStringSubmatch(o.Script.Content); found != nil {
			if _, err := os.Stat(filepath.Join(t.Dir, found[1])); err != nil {
				return "a file of the test is missing, or cannot be read"
			}
		}
	}
	for _, c := range []*Change{o.Apply, o.Create, o.Patch, o.Assert, o.Error} {
		if c == nil {
			continue
		}
		if _, err := c.refused(); err != nil {
			return err.Error()
		}
		objects, err := t.objects(c)
		if err != nil {
			return "a file of the test is missing, or cannot be read"
		}
		for _, u := range objects {
			if reason := unbuilt(u); reason != "" {
				return reason
			}
			if found := notUnderstood(u.Object); found != "" && (o.Assert != nil || o.Error != nil) {
				return fmt.Sprintf("an assertion holds the expression %s", found)
			}
		}
	}
	return ""
}

// unbuilt names what a policy needs that is left out by intent, or that a cluster by itself does not have.
func unbuilt(u *unstructured.Unstructured) string {
	if strings.HasPrefix(u.GetAPIVersion(), celGroup) && strings.HasSuffix(u.GetKind(), "ImageValidatingPolicy") {
		return "ImageValidatingPolicy"
	}
	rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
	for _, r := range rules {
		if rule, ok := r.(map[string]any); ok && strings.HasPrefix(u.GetAPIVersion(), "kyverno.io/") && rule["verifyImages"] != nil {
			return "verifyImages"
		}
	}
	if strings.HasPrefix(u.GetAPIVersion(), "kyverno.io/") && holds(u.Object, "imageRegistry") {
		return "a policy asks public registries"
	}
	return ""
}

// holds reports whether a key stands anywhere in the value.
func holds(v any, key string) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, value := range v {
			if k == key || holds(value, key) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return holds(item, key) })
	}
	return false
}

// celGroup is that of the policies in CEL. Their kinds say what they do.
const celGroup = "policies.kyverno.io/"

// Features names what the policies of a test do: validate, mutate, generate, mutate existing, cleanup; those in CEL by their kind.
func (t *Test) Features() []string {
	found := map[string]bool{}
	for _, step := range t.Steps {
		for _, o := range step.Try {
			for _, c := range []*Change{o.Apply, o.Create} {
				if c == nil {
					continue
				}
				objects, err := t.objects(c)
				if err != nil {
					continue
				}
				for _, u := range objects {
					features(u, found)
				}
			}
		}
	}
	var out []string
	for _, name := range []string{"validate", "mutate", "mutate existing", "generate", "cleanup", "ValidatingPolicy", "MutatingPolicy", "GeneratingPolicy", "DeletingPolicy", "PolicyException"} {
		if found[name] {
			out = append(out, name)
		}
	}
	return out
}

func features(u *unstructured.Unstructured, found map[string]bool) {
	if strings.HasPrefix(u.GetAPIVersion(), celGroup) {
		found[strings.TrimPrefix(u.GetKind(), "Namespaced")] = true
		return
	}
	if !strings.HasPrefix(u.GetAPIVersion(), "kyverno.io/") {
		return
	}
	switch u.GetKind() {
	case "CleanupPolicy", "ClusterCleanupPolicy":
		found["cleanup"] = true
	case "PolicyException":
		found["PolicyException"] = true
	}
	rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		mutate, _ := rule["mutate"].(map[string]any)
		switch {
		case rule["validate"] != nil:
			found["validate"] = true
		case mutate["targets"] != nil:
			found["mutate existing"] = true
		case mutate != nil:
			found["mutate"] = true
		case rule["generate"] != nil:
			found["generate"] = true
		}
	}
}
