package policies_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine"
)

// suite is the part of a Kyverno CLI test that the bundle's tests use.
type suite struct {
	engine.NoLookups
	Resources []string `json:"resources"`
	Values    struct {
		NamespaceSelector []struct {
			Name   string            `json:"name"`
			Labels map[string]string `json:"labels"`
		} `json:"namespaceSelector"`
	} `json:"values"`
	Results []struct {
		Policy           string   `json:"policy"`
		Rule             string   `json:"rule"`
		Kind             string   `json:"kind"`
		Resources        []string `json:"resources"` // NAME or NAMESPACE/NAME
		Result           string   `json:"result"`
		PatchedResources string   `json:"patchedResources"`
	} `json:"results"`
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Policies   []string       `json:"policies"`
}

// NamespaceLabels and Roles make the suite's values the world that the rules look at.
func (s *suite) NamespaceLabels(_ context.Context, namespace string) (map[string]string, error) {
	for _, n := range s.Values.NamespaceSelector {
		if n.Name == namespace {
			return n.Labels, nil
		}
	}
	return nil, nil
}

func (s *suite) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return nil, nil, errors.New("no rule of the bundle asks for roles")
}

// loaded is a suite with its policy compiled and its objects read.
type loaded struct {
	suite
	dir      string
	snapshot *engine.Snapshot
	objects  []map[string]any
}

func load(t *testing.T, p shipped) *loaded {
	t.Helper()
	l := &loaded{dir: path.Join(p.folder, "test")}
	text, err := os.ReadFile(path.Join(l.dir, "kyverno-test.yaml"))
	if err != nil {
		t.Fatalf("reading the test: %v", err)
	}
	if err := yaml.UnmarshalStrict(text, &l.suite); err != nil {
		t.Fatalf("parsing the test: %v", err)
	}
	for _, file := range l.Resources {
		l.objects = append(l.objects, documents(t, path.Join(l.dir, file))...)
	}
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatalf("making a compiler: %v", err)
	}
	compiled, err := compiler.Compile(&p.ClusterPolicy, nil)
	if err != nil {
		t.Fatalf("compiling the policy: %v", err)
	}
	if l.snapshot, err = engine.NewSnapshot([]*engine.Policy{compiled}); err != nil {
		t.Fatalf("making a snapshot: %v", err)
	}
	return l
}

func documents(t *testing.T, file string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	var list []map[string]any
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return list
		}
		var object map[string]any
		if err == nil {
			err = yaml.UnmarshalStrict(doc, &object)
		}
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		list = append(list, object)
	}
}

// object finds what a result names.
func (l *loaded) object(kind, key string) map[string]any {
	namespace, name, qualified := strings.Cut(key, "/")
	if !qualified {
		namespace, name = "", key
	}
	for _, o := range l.objects {
		u := unstructured.Unstructured{Object: o}
		if u.GetKind() == kind && u.GetNamespace() == namespace && u.GetName() == name {
			return o
		}
	}
	return nil
}

// request is the creation of the object, without a user, in the namespace default if it names none.
func (l *loaded) request(object map[string]any) (*engine.Request, *engine.Inputs) {
	u := unstructured.Unstructured{Object: object}
	req := &engine.Request{
		Operation: engine.Create, Kind: u.GroupVersionKind(), Namespace: u.GetNamespace(), Name: u.GetName(), Object: object,
	}
	if req.Namespace == "" && !slices.Contains([]string{"Namespace", "ClusterRoleBinding"}, req.Kind.Kind) {
		req.Namespace = "default"
	}
	return req, &engine.Inputs{Lookups: l, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}

// verdict is what the audit says of the object by the rule, in its own form or one made for controllers.
func (l *loaded) verdict(t *testing.T, rule string, object map[string]any) (string, engine.Decision) {
	t.Helper()
	req, in := l.request(object)
	audit, err := l.snapshot.Audit(t.Context(), req, in)
	if err != nil {
		t.Fatalf("auditing: %v", err)
	}
	for _, d := range audit.Decisions {
		if slices.Contains([]string{rule, "autogen-" + rule, "autogen-cronjob-" + rule}, d.Rule.Name) {
			return d.Status.String(), d
		}
	}
	return "skip", engine.Decision{}
}

// mutated is the object as admission lets it in.
func (l *loaded) mutated(t *testing.T, object map[string]any) map[string]any {
	t.Helper()
	req, in := l.request(object)
	m, err := l.snapshot.Mutate(t.Context(), req, in)
	if err != nil {
		t.Fatalf("mutating: %v", err)
	}
	return m.Object
}

func TestEveryPolicyDecidesAsItsTestSays(t *testing.T) {
	for _, p := range everyPolicy(t) {
		t.Run(p.folder, func(t *testing.T) {
			l := load(t, p)
			for _, want := range l.Results {
				for _, key := range want.Resources {
					name := want.Rule + " on " + want.Kind + " " + key
					object := l.object(want.Kind, key)
					switch {
					case object == nil:
						t.Errorf("%s: there is no such object", name)
					case want.PatchedResources != "":
						l.changes(t, name, want.Rule, object, documents(t, path.Join(l.dir, want.PatchedResources))[0])
					case p.Spec.HasMutate():
						l.leaves(t, name, want.Rule, object)
					default:
						if got, d := l.verdict(t, want.Rule, object); got != want.Result {
							t.Errorf("%s: got %s, want %s: %s", name, got, want.Result, d.Message)
						}
					}
				}
			}
		})
	}
}

// changes checks the three doors of a mutation: admission makes the object what the test says, the audit
// finds it drifted before and not after, and a second admission changes nothing more.
func (l *loaded) changes(t *testing.T, name, rule string, object, want map[string]any) {
	t.Helper()
	got := l.mutated(t, object)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v\nwant %v", name, got, want)
	}
	if again := l.mutated(t, got); !reflect.DeepEqual(again, got) {
		t.Errorf("%s: a second pass changes it again, to %v", name, again)
	}
	if status, d := l.verdict(t, rule, object); status != "fail" || len(d.Patch) == 0 {
		t.Errorf("%s: before, the audit says %s with patch %v, want fail with a patch", name, status, d.Patch)
	}
	if status, d := l.verdict(t, rule, got); status == "fail" || status == "error" {
		t.Errorf("%s: after, the audit says %s: %s", name, status, d.Message)
	}
}

func (l *loaded) leaves(t *testing.T, name, rule string, object map[string]any) {
	t.Helper()
	if got := l.mutated(t, object); !reflect.DeepEqual(got, object) {
		t.Errorf("%s: is changed to %v", name, got)
	}
	if status, d := l.verdict(t, rule, object); status == "fail" || status == "error" {
		t.Errorf("%s: the audit says %s: %s", name, status, d.Message)
	}
}

func TestEveryRuleIsTriedOnGoodAndBad(t *testing.T) {
	for _, p := range everyPolicy(t) {
		l := load(t, p)
		autogen := p.Annotations["pod-policies.kyverno.io/autogen-controllers"] == ""
		for _, r := range p.Spec.Rules {
			seen := map[string]bool{}
			for _, want := range l.Results {
				if want.Rule == r.Name {
					seen[want.Result], seen[want.Result+" "+want.Kind] = true, true
				}
			}
			wanted := []string{"pass", "fail"}
			switch {
			case r.HasMutate():
				wanted = []string{"pass", "skip"}
			case slices.Contains(awaiting, r.Name):
				wanted = []string{"pass"}
			}
			if r.HasValidate() && autogen && slices.Contains(r.MatchResources.GetKinds(), "Pod") {
				for _, kind := range []string{"Pod", "Deployment", "CronJob"} {
					wanted = append(wanted, "pass "+kind, "fail "+kind)
				}
			}
			for _, w := range wanted {
				if !seen[w] {
					t.Errorf("%s, rule %s: no case expects %s", p.folder, r.Name, w)
				}
			}
		}
	}
}
