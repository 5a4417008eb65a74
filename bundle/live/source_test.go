package live

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// wants is a policy that wants a label on Pods.
func wants(kind, where, label string) string {
	namespace, name, found := strings.Cut(where, "/")
	if !found {
		namespace, name = "", where
	}
	return fmt.Sprintf(`
apiVersion: kyverno.io/v1
kind: %s
metadata: {name: %s, namespace: %q}
spec:
  rules:
  - name: label
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: no %[4]s
      pattern: {metadata: {labels: {%[4]s: "?*"}}}
`, kind, name, namespace, label)
}

// broken is the policy of that name with a fault at spec.rules[0].validate.pattern.metadata.name.
func broken(kind, where string) string {
	return strings.Replace(wants(kind, where, "x"), `{labels: {x: "?*"}}`, `{name: "{{ a. }}"}`, 1)
}

func exception(namespace, name string) string {
	return fmt.Sprintf(`
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: %s, namespace: %s}
spec:
  exceptions: [{policyName: a, ruleNames: [label]}]
  match: {any: [{resources: {kinds: [Pod]}}]}
`, name, namespace)
}

const entryText = `
apiVersion: kyverno.io/v2beta1
kind: GlobalContextEntry
metadata: {name: pods}
spec: {kubernetesResource: {version: v1, resource: pods}}
`

// holds lists what is in force: the policies with the message of their first rule's source, and the rest by name.
func (s *scene) holds() string {
	var out []string
	current := s.store.Current()
	for k, c := range contentOfSnapshot(current) {
		text := k.String()
		if c.policy != nil {
			text += " " + s.label(c.policy)
		}
		out = append(out, strings.TrimSpace(text))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// label finds which version of a policy is in force: the entry's, or the files'.
func (s *scene) label(p *engine.Policy) string {
	for _, e := range s.entries {
		if e.good != nil && e.good.Policy == p {
			spec := e.good.Document["spec"].(map[string]any)
			rules, ok := spec["rules"].([]any)
			if !ok {
				return ""
			}
			rule := rules[0].(map[string]any)
			message, _ := rule["validate"].(map[string]any)["message"].(string)
			return strings.TrimPrefix(message, "no ")
		}
	}
	return "of the files"
}

func TestWhatIsInForce(t *testing.T) {
	for name, c := range map[string]struct {
		files   string
		objects []string
		then    func(*testing.T, *scene)
		want    string
	}{
		"the bundle alone": {
			files: wants("ClusterPolicy", "a", "x"),
			want:  "ClusterPolicy/a of the files",
		},
		"policies of the cluster beside it": {
			files:   wants("ClusterPolicy", "a", "x"),
			objects: []string{wants("ClusterPolicy", "b", "y"), wants("Policy", "team/b", "z")},
			want:    "ClusterPolicy/a of the files, ClusterPolicy/b y, Policy/team/b z",
		},
		"what comes later": {
			then: func(t *testing.T, s *scene) { s.create(t, wants("ClusterPolicy", "b", "y")) },
			want: "ClusterPolicy/b y",
		},
		"another version": {
			objects: []string{wants("ClusterPolicy", "b", "y")},
			then:    func(t *testing.T, s *scene) { s.replace(t, wants("ClusterPolicy", "b", "z")) },
			want:    "ClusterPolicy/b z",
		},
		"a deleted one": {
			files:   wants("ClusterPolicy", "a", "x"),
			objects: []string{wants("ClusterPolicy", "b", "y")},
			then:    func(t *testing.T, s *scene) { s.delete(t, wants("ClusterPolicy", "b", "y")) },
			want:    "ClusterPolicy/a of the files",
		},
		"a ClusterPolicy takes the place of the bundle's": {
			files:   wants("ClusterPolicy", "a", "x"),
			objects: []string{wants("ClusterPolicy", "a", "y")},
			want:    "ClusterPolicy/a y",
		},
		"and gives it back": {
			files:   wants("ClusterPolicy", "a", "x"),
			objects: []string{wants("ClusterPolicy", "a", "y")},
			then:    func(t *testing.T, s *scene) { s.delete(t, wants("ClusterPolicy", "a", "y")) },
			want:    "ClusterPolicy/a of the files",
		},
		"a broken one does not take it": {
			files:   wants("ClusterPolicy", "a", "x"),
			objects: []string{broken("ClusterPolicy", "a")},
			want:    "ClusterPolicy/a of the files",
		},
		"a Policy does not take the place of the bundle's": {
			files:   wants("Policy", "team/a", "x"),
			objects: []string{wants("Policy", "team/a", "y"), wants("Policy", "other/a", "z")},
			want:    "Policy/other/a z, Policy/team/a of the files",
		},
		"broken ones take nobody down": {
			objects: []string{broken("ClusterPolicy", "a"), wants("ClusterPolicy", "b", "y"), "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: odd, namespace: team}, spec: 7}"},
			want:    "ClusterPolicy/b y",
		},
		"the version before a broken one": {
			objects: []string{wants("ClusterPolicy", "a", "x")},
			then:    func(t *testing.T, s *scene) { s.replace(t, broken("ClusterPolicy", "a")) },
			want:    "ClusterPolicy/a x",
		},
		"nothing of a broken one that took the place of a good one": {
			objects: []string{wants("ClusterPolicy", "a", "x")},
			then: func(t *testing.T, s *scene) {
				other := strings.Replace(broken("ClusterPolicy", "a"), "{name: a,", "{uid: another, name: a,", 1)
				s.replace(t, other)
			},
			want: "",
		},
		"a mended one": {
			objects: []string{broken("ClusterPolicy", "a")},
			then:    func(t *testing.T, s *scene) { s.replace(t, wants("ClusterPolicy", "a", "x")) },
			want:    "ClusterPolicy/a x",
		},
		"exceptions of namespaces that count, and entries": {
			objects: []string{exception("holdfast", "counts"), exception("team", "does-not"), entryText},
			want:    "GlobalContextEntry/pods, PolicyException/holdfast/counts",
		},
		"exceptions of the files, wherever they are": {
			files: exception("team", "excused"),
			want:  "PolicyException/team/excused",
		},
		"an exception does not take the place of the bundle's": {
			files:   exception("holdfast", "excused"),
			objects: []string{strings.Replace(exception("holdfast", "excused"), "[Pod]", "[Secret]", 1)},
			want:    "PolicyException/holdfast/excused",
		},
		"a type that is served no more": {
			objects: []string{wants("ClusterPolicy", "b", "y"), wants("Policy", "team/b", "z")},
			then: func(_ *testing.T, s *scene) {
				s.served.set(policies)
				s.settle()
			},
			want: "Policy/team/b z",
		},
		"a type that comes": {
			objects: []string{wants("ClusterPolicy", "b", "y"), wants("Policy", "team/b", "z")},
			then: func(_ *testing.T, s *scene) {
				s.served.set()
				s.settle()
				s.served.set(clusterPolicies)
				s.settle()
			},
			want: "ClusterPolicy/b y",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, c.files, c.objects)
				if c.then != nil {
					c.then(t, s)
				}
				if got := s.holds(); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				select {
				case <-s.Ready():
				default:
					t.Error("not ready")
				}
			})
		})
	}
}

// Objects of other versions than the first are read too, where that is what is served.
func TestTheFirstVersionThatIsServedIsWatched(t *testing.T) {
	served := func(r ...string) func() (string, bool) {
		return func() (string, bool) {
			k := kind{policyException, "policyexceptions", bundle.Group, []string{"v2", "v2beta1"}}
			got, ok := k.served(func(x schema.GroupVersionResource) bool {
				return slices.Contains(r, x.Version) && x.Resource == "policyexceptions"
			})
			return got.Version, ok
		}
	}
	for want, f := range map[string]func() (string, bool){
		"v2": served("v2beta1", "v2"), "v2beta1": served("v2beta1"), "": served("v3"),
	} {
		if got, ok := f(); got != want || ok != (want != "") {
			t.Errorf("got %q, %v, want %q", got, ok, want)
		}
	}
}

// What changes nothing that counts makes no snapshot and compiles nothing.
func TestOnlyWhatChangedIsCompiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, "", []string{wants("ClusterPolicy", "a", "x"), wants("ClusterPolicy", "b", "y")})
		before := maps.Clone(s.entries)
		changes := s.changes
		relabelled := strings.Replace(wants("ClusterPolicy", "a", "x"), "{name: a,", "{finalizers: [example.org/f], name: a,", 1)
		s.replace(t, relabelled)
		for k, e := range s.entries {
			if e.good != before[k].good {
				t.Errorf("%s was compiled again", k)
			}
		}
		if s.changes != changes {
			t.Errorf("%d snapshots more", s.changes-changes)
		}
		s.replace(t, wants("ClusterPolicy", "a", "z"))
		a, b := key{clusterPolicy, "", "a"}, key{clusterPolicy, "", "b"}
		if s.entries[a].good == before[a].good || s.entries[b].good != before[b].good || s.changes != changes+1 {
			t.Errorf("a was not compiled alone; %d snapshots more", s.changes-changes)
		}
	})
}

// Until all that was there has been read, the bundle stays as it is, and somebody is told what is missing.
func TestNothingIsPutInForceByHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		failing.Store(true)
		s := play(t, "", []string{wants("ClusterPolicy", "a", "x"), wants("Policy", "team/b", "y")}, func(s *scene, _ *Options) {
			s.client.PrependReactor("list", "policies", func(clienttesting.Action) (bool, runtime.Object, error) {
				if failing.Load() {
					return true, nil, errors.New("not today")
				}
				return false, nil, nil
			})
		})
		if got := s.holds(); got != "" {
			t.Errorf("in force: %s", got)
		}
		if got, want := s.Unready(), "the policies of the cluster have not been read yet: policies.kyverno.io: "; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "not today") {
			t.Errorf("got %q", got)
		}
		failing.Store(false)
		time.Sleep(time.Minute)
		s.settle()
		if got, want := s.holds(), "ClusterPolicy/a x, Policy/team/b y"; got != want || s.Unready() != "" {
			t.Errorf("got %s, unready %q", got, s.Unready())
		}
		if n := testutil.ToFloat64(s.Source.metrics.failures.WithLabelValues("policies")); n == 0 {
			t.Error("the failures are not counted")
		}
	})
}

func TestBeforeTheAPIServerIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, "", []string{wants("ClusterPolicy", "a", "x")}, func(s *scene, _ *Options) {
			s.served.types = nil
			<-s.served.changed
		})
		if got := s.Unready(); got != "the policies of the cluster have not been read yet" {
			t.Errorf("got %q", got)
		}
		s.served.set(clusterPolicies)
		s.settle()
		if got := s.holds(); got != "ClusterPolicy/a x" {
			t.Errorf("got %s", got)
		}
	})
}

func TestWhatTheReportAndTheMetricsSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, wants("Policy", "team/a", "x")+"---"+wants("ClusterPolicy", "c", "x"), []string{
			wants("ClusterPolicy", "c", "y"), wants("ClusterPolicy", "d", "y"), broken("ClusterPolicy", "e"), wants("Policy", "team/a", "y"), exception("team", "x"),
		})
		s.replace(t, broken("ClusterPolicy", "d"))
		const counts = `
# HELP holdfast_policies Policies, exceptions and global context entries by where they come from (bundle, cluster) and what became of them: in_force; outdated: the present version does not compile and the one before is in force; broken: nothing of it is in force; hidden: one of the other source goes before it; uncounted: an exception of a namespace whose exceptions do not count.
# TYPE holdfast_policies gauge
holdfast_policies{source="bundle",state="hidden"} 1
holdfast_policies{source="bundle",state="in_force"} 1
holdfast_policies{source="cluster",state="broken"} 1
holdfast_policies{source="cluster",state="hidden"} 1
holdfast_policies{source="cluster",state="in_force"} 1
holdfast_policies{source="cluster",state="outdated"} 1
holdfast_policies{source="cluster",state="uncounted"} 1
`
		if err := testutil.GatherAndCompare(s.metrics, strings.NewReader(counts), "holdfast_policies"); err != nil {
			t.Error(err)
		}
		const fault = `spec.rules[0].validate.pattern.metadata.name: `
		r := s.Report()
		var got []string
		for _, x := range r.Types {
			got = append(got, fmt.Sprintf("%s %d %v %q", x.Resource, x.Policies, x.Synced, x.Error))
		}
		for _, p := range r.Problems {
			problem, after, _ := strings.Cut(p.Problem, fault)
			if after != "" {
				_, after, _ = strings.Cut(after, ". ")
			}
			got = append(got, fmt.Sprintf("%s %d %s: %s%s", p.Policy, p.Generation, p.State, problem, after))
		}
		want := []string{
			`clusterpolicies.v1.kyverno.io 3 true ""`, `globalcontextentries.v2beta1.kyverno.io 0 true ""`, `policies.v1.kyverno.io 1 true ""`, `policyexceptions.v2.kyverno.io 1 true ""`,
			"ClusterPolicy/d 2 outdated: The version before it, of generation 1, stays in force.",
			"ClusterPolicy/e 1 broken: Nothing of it is in force.",
			"Policy/team/a 1 hidden: is not in force: the bundle that Holdfast was started with has a Policy of this name, and one of the cluster cannot take its place",
			"PolicyException/team/x 1 uncounted: is not in force: PolicyExceptions of the namespace team do not count (--exception-namespaces)",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A compiler that panics is a problem of one policy.
func TestAPanicOfTheCompilerIsAProblem(t *testing.T) {
	e := next(nil, nil, object(t, wants("ClusterPolicy", "a", "x")))
	if len(e.problems) != 1 || !strings.HasPrefix(e.problems[0].Message, "the compiler ended unexpectedly: ") || e.state() != Broken {
		t.Errorf("got %v, %s", e.problems, e.state())
	}
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := Options{}
		play(t, "", nil, func(_ *scene, o *Options) { good = *o; good.Metrics = nil })
		for want, spoil := range map[string]func(*Options){
			"live policy options: Client is missing":                                                             func(o *Options) { o.Client = nil },
			"live policy options: Served is missing":                                                             func(o *Options) { o.Served = nil },
			"live policy options: Store is missing, or empty":                                                    func(o *Options) { o.Store = nil },
			"live policy options: Logger is missing":                                                             func(o *Options) { o.Logger = nil },
			"live policy options: Gather is -1s and Grace is 0s: expected positive times, or 0 for the defaults": func(o *Options) { o.Gather = -time.Second },
		} {
			o := good
			spoil(&o)
			if _, err := New(o); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}
