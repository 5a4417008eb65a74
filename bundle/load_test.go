package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-io/holdfast/policies"
)

// sound is a policy that the cases spoil.
const sound = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: sound
spec:
  rules:
    - name: first
      match:
        any:
          - resources:
              kinds: [Pod]
      validate:
        message: denied
        pattern:
          spec:
            hostNetwork: "!true"
`

// plainException excuses from the sound policy, plainEntry is a global context entry.
const (
	plainException = `apiVersion: kyverno.io/v2
kind: PolicyException
metadata:
  name: x
  namespace: ns
spec:
  exceptions:
    - policyName: sound
      ruleNames: [first]
  match:
    any:
      - resources: {kinds: [Pod]}
`
	plainEntry = `apiVersion: kyverno.io/v2
kind: GlobalContextEntry
metadata: {name: pods}
spec: {kubernetesResource: {version: v1, resource: pods}, projections: [{name: count, jmesPath: length(@)}]}
`
)

// spoil replaces a part of the sound policy, which must be there.
func spoil(t *testing.T, parts ...string) string {
	t.Helper()
	out := sound
	for i := 0; i < len(parts); i += 2 {
		if !strings.Contains(out, parts[i]) {
			t.Fatalf("%q is not in the policy", parts[i])
		}
		out = strings.Replace(out, parts[i], parts[i+1], 1)
	}
	return out
}

// load loads files of a folder called b.
func load(files map[string]string) (digest string, sum *Summary, problems []string, err error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	s, sum, err := Load(context.Background(), Sources{FS: fsys, FSName: "b"})
	var e *Error
	if errors.As(err, &e) {
		return "", nil, strings.Split(err.Error(), "\n"), nil
	}
	if err != nil {
		return "", nil, nil, err
	}
	return s.Digest(), sum, nil, nil
}

func TestLoadRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		policy string
		want   []string
	}{
		"broken YAML": {
			spoil(t, "kinds: [Pod]", "kinds: [Pod"),
			[]string{"b/p.yaml:12:15: broken YAML: mapping values are not allowed in this context"},
		},
		"a key that stands twice": {
			spoil(t, "  name: sound", "  name: sound\n  name: other"),
			[]string{`b/p.yaml:5:3: the key "name" stands twice, first at b/p.yaml:4:3`},
		},
		"a time to settle that is none": {
			spoil(t, "  name: sound", "  name: sound\n  annotations: {holdfast.dev/settle: soon}"),
			[]string{`b/p.yaml:5:17: ClusterPolicy/sound: metadata.annotations.holdfast.dev/settle: "soon" is no time for findings to settle: expected a duration such as 30s, 24h at most`},
		},
		"an unknown field": {
			spoil(t, "pattern:", "patern:"),
			[]string{`b/p.yaml:14:9: ClusterPolicy/sound: spec.rules[0].validate.patern: unknown field "patern": did you mean pattern?`},
		},
		"an unknown field among few": {
			spoil(t, "- resources:", "- whatever: 1\n            resources:"),
			[]string{`b/p.yaml:10:13: ClusterPolicy/sound: spec.rules[0].match.any[0].whatever: unknown field "whatever": expected one of clusterRoles, resources, roles, subjects`},
		},
		"a field in the wrong case": {
			spoil(t, "kinds: [Pod]", "Kinds: [Pod]"),
			[]string{`b/p.yaml:11:15: ClusterPolicy/sound: spec.rules[0].match.any[0].resources.Kinds: unknown field "Kinds": did you mean kinds?`},
		},
		"an unknown field in conditions": {
			spoil(t, "        pattern:\n          spec:\n            hostNetwork: \"!true\"\n", "        deny:\n          conditions:\n            any: []\n            alll: []\n"),
			[]string{`b/p.yaml:17:13: ClusterPolicy/sound: spec.rules[0].validate.deny.conditions.alll: unknown field "alll": did you mean all?`},
		},
		"values of the wrong type, all at once": {
			spoil(t, "name: sound", "name: 7", "kinds: [Pod]", "kinds: Pod", "message: denied", "message: no", "    - name: first", "    - a string\n    - name: first", "spec:\n", "spec:\n  background: \"yes\"\n  webhookTimeoutSeconds: 1.5\n"),
			[]string{
				"b/p.yaml:4:3: ClusterPolicy: metadata.name: is a number: expected a string: put it in quotes",
				"b/p.yaml:6:3: ClusterPolicy: spec.background: is a string: expected true or false",
				"b/p.yaml:7:3: ClusterPolicy: spec.webhookTimeoutSeconds: is 1.5: expected a whole number of 32 bits",
				"b/p.yaml:9:7: ClusterPolicy: spec.rules[0]: is a string: expected an object",
				"b/p.yaml:14:15: ClusterPolicy: spec.rules[1].match.any[0].resources.kinds: is a string: expected a list",
				"b/p.yaml:16:9: ClusterPolicy: spec.rules[1].validate.message: is a boolean: expected a string: put it in quotes",
			},
		},
		"what the compiler refuses": {
			spoil(t, "message: denied", "message: denied\n        failureAction: Enfrce", "\"!true\"", "\"{{ nope(@) }}\""),
			[]string{
				`b/p.yaml:14:9: ClusterPolicy/sound: spec.rules[0].validate.failureAction: unknown action "Enfrce": expected Enforce or Audit`,
				`b/p.yaml:17:13: ClusterPolicy/sound: spec.rules[0].validate.pattern.spec.hostNetwork: expression "nope(@)": unknown function "nope": did you mean "type"?`,
			},
		},
		"a part that is not built": {
			spoil(t, "pattern:", "manifests:", "spec:\n            hostNetwork: \"!true\"", "repository: x"),
			[]string{"b/p.yaml:15:11: ClusterPolicy/sound: spec.rules[0].validate.manifests.repository: signatures in a registry are not built yet"},
		},
		"what is missing is told at its parent": {
			"apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {}\nspec: {}\n",
			[]string{
				"b/p.yaml:3:1: ClusterPolicy: metadata.name: is missing",
				"b/p.yaml:4:1: ClusterPolicy: spec.rules: is empty: expected at least one rule",
			},
		},
		"a policy in a version that nobody has": {
			"apiVersion: kyverno.io/v3\nkind: ClusterPolicy\nmetadata: {name: x}\n",
			[]string{"b/p.yaml:1:1: ClusterPolicy/x: kyverno.io/v3 ClusterPolicy is not built yet: expected kyverno.io/v1 or kyverno.io/v2beta1"},
		},
		"an exception in a version that nobody has": {
			"apiVersion: kyverno.io/v1\nkind: PolicyException\nmetadata: {name: x}\n",
			[]string{"b/p.yaml:1:1: PolicyException/x: kyverno.io/v1 PolicyException is not built yet: expected kyverno.io/v2, kyverno.io/v2beta1 or kyverno.io/v2alpha1"},
		},
		"a match of v1 in v2beta1": {
			strings.Replace(spoil(t, "any:\n          - resources:\n              kinds: [Pod]", "resources: {kinds: [Pod]}"), "/v1", "/v2beta1", 1),
			[]string{`b/p.yaml:9:9: ClusterPolicy/sound: spec.rules[0].match.resources: unknown field "resources": expected one of all, any`},
		},
		"an exception": {
			"apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata:\n  name: x\n  namespace: ns\nspec:\n  exceptions:\n  - policyName: ''\n    rules: [a]\n  match:\n    any:\n    - resource: {}\n",
			[]string{
				`b/p.yaml:9:5: PolicyException/ns/x: spec.exceptions[0].rules: unknown field "rules": expected one of policyName, ruleNames`,
				`b/p.yaml:12:7: PolicyException/ns/x: spec.match.any[0].resource: unknown field "resource": did you mean resources?`,
			},
		},
		"an exception from nothing": {
			"apiVersion: kyverno.io/v2beta1\nkind: PolicyException\nmetadata: {name: x, namespace: ns}\nspec:\n  exceptions:\n  - ruleNames: []\n  match:\n    any:\n    - resources: {kinds: [a/b/c/d/e]}\n",
			[]string{
				"b/p.yaml:6:5: PolicyException/ns/x: spec.exceptions[0].policyName: is missing",
				`b/p.yaml:9:27: PolicyException/ns/x: spec.match.any[0].resources.kinds[0]: "a/b/c/d/e" is not a kind: it has more than four parts`,
			},
		},
		"a schedule that is none": {
			"apiVersion: kyverno.io/v2\nkind: ClusterCleanupPolicy\nmetadata: {name: x}\nspec:\n  match: {any: [{resources: {kinds: [Pod]}}]}\n  schedule: '0 0 * * 7'\n",
			[]string{`b/p.yaml:6:3: ClusterCleanupPolicy/x: spec.schedule: "0 0 * * 7" is not a cron expression: End of range (7) above maximum (6): 7`},
		},
		"a global context entry": {
			"apiVersion: kyverno.io/v2alpha1\nkind: GlobalContextEntry\nmetadata: {name: x}\nspec:\n  kubernetesResource: {version: v1, resource: pods}\n  projections:\n  - name: x\n    jmesPath: length(\n",
			[]string{
				`b/p.yaml:7:5: GlobalContextEntry/x: spec.projections[0].name: "x" is the name of the entry: expected another`,
				`b/p.yaml:8:5: GlobalContextEntry/x: spec.projections[0].jmesPath: expression "length(": at character 8: Incomplete expression`,
			},
		},
		"the same exception twice": {
			plainException + "---\n" + plainException,
			[]string{"b/p.yaml:14:1: PolicyException/ns/x: stands twice in the bundle, first at b/p.yaml:1:1"},
		},
		"the same entry twice, in two versions": {
			plainEntry + "---\n" + strings.Replace(plainEntry, "v2", "v2beta1", 1),
			[]string{"b/p.yaml:6:1: GlobalContextEntry/pods: stands twice in the bundle, first at b/p.yaml:1:1"},
		},
		"a CEL policy of a kind to come": {
			"apiVersion: policies.kyverno.io/v1\nkind: NodeValidatingPolicy\nmetadata: {name: x}\n",
			[]string{"b/p.yaml:1:1: NodeValidatingPolicy/x: policies.kyverno.io/v1 NodeValidatingPolicy is not built yet"},
		},
		"a CEL policy on images with a mistake": {
			"apiVersion: policies.kyverno.io/v1\nkind: ImageValidatingPolicy\nmetadata: {name: x}\nspec: {validations: [{expresion: a}]}\n",
			[]string{
				`b/p.yaml:4:23: ImageValidatingPolicy/x: spec.validations[0].expresion: unknown field "expresion": did you mean expression?`,
			},
		},
		"a binding of no policy": {
			"apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: x}\n",
			[]string{"b/p.yaml:1:1: ValidatingAdmissionPolicyBinding/x: spec.policyName: is missing: expected the name of a ValidatingAdmissionPolicy"},
		},
		"a slip in the kind": {
			"apiVersion: kyverno.io/v1\nkind: ClusterPolcy\nmetadata: {name: x}\n",
			[]string{`b/p.yaml:2:1: ClusterPolcy/x: unknown kind "ClusterPolcy" of kyverno.io/v1: expected one of ClusterPolicy, Policy, PolicyException, ClusterCleanupPolicy, CleanupPolicy, GlobalContextEntry`},
		},
		"a policy without apiVersion": {
			"kind: ClusterPolicy\nmetadata: {name: x}\n",
			[]string{"b/p.yaml:1:1: ClusterPolicy/x: apiVersion is missing: expected kyverno.io/v1 or kyverno.io/v2beta1"},
		},
		"a policy of more than a mebibyte": {
			sound + "# " + strings.Repeat("x", 1<<20) + "\n",
			[]string{fmt.Sprintf("b/p.yaml:1:1: ClusterPolicy/sound: is %d bytes long: expected at most 1048576", len(sound)+1<<20+3)},
		},
		"the same policy twice": {
			sound + "---\n" + sound,
			[]string{"b/p.yaml:18:1: ClusterPolicy/sound: stands twice in the bundle, first at b/p.yaml:1:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, got, err := load(map[string]string{"p.yaml": tc.policy})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestLoadTellsTheProblemsOfAllFilesInOrder(t *testing.T) {
	_, _, got, err := load(map[string]string{
		"z.yaml": "a: [", "a.json": `{"apiVersion": "kyverno.io/v1", "kind": "Policy", "metadata": {"name": "j"}, "spec": {"rules": 1}}`, "m.yaml": spoil(t, "message: denied", "message: no"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"b/a.json:1:87: Policy/default/j: spec.rules: is a number: expected a list",
		"b/m.yaml:13:9: ClusterPolicy/sound: spec.rules[0].validate.message: is a boolean: expected a string: put it in quotes",
		"b/z.yaml:2:1: broken YAML: while parsing a flow node: did not find expected node content",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoadWarns(t *testing.T) {
	for name, tc := range map[string]struct {
		files    map[string]string
		policies int
		skipped  string
		want     []string
	}{
		"of an empty bundle": {
			map[string]string{"a.yaml": "", "readme.txt": ""}, 0, "map[]",
			[]string{"the bundle is empty: it holds no policy, so nothing is refused, changed or reported"},
		},
		"of an exception that excuses nothing": {
			map[string]string{"a.yaml": sound + "---\n" + strings.Replace(plainException, "match:\n    any:\n      - resources: {kinds: [Pod]}", "match: {}", 1)}, 1, "map[]",
			[]string{"a.yaml:27:3: PolicyException/ns/x: spec.match: selects nothing, so that nothing is excused: expected any or all"},
		},
		"of an exception in no namespace": {
			map[string]string{"a.yaml": sound + "---\n" + strings.Replace(plainException, "  namespace: ns\n", "", 1)}, 1, "map[]",
			[]string{"a.yaml:20:1: PolicyException/default/x: metadata.namespace: is missing: the exception is taken to be in the namespace default"},
		},
		"of a Policy without a namespace": {
			map[string]string{"a.yaml": strings.Replace(sound, "ClusterPolicy", "Policy", 1)}, 1, "map[]",
			[]string{"a.yaml:3:1: Policy/default/sound: metadata.namespace: is missing: the policy is taken to be in the namespace default"},
		},
		"of a ClusterPolicy with one": {
			map[string]string{"a.yaml": strings.Replace(sound, "  name: sound", "  name: sound\n  namespace: x", 1)}, 1, "map[]",
			[]string{"a.yaml:5:3: ClusterPolicy/sound: metadata.namespace: is ignored: a ClusterPolicy is in no namespace"},
		},
		"not of what stands beside policies": {
			map[string]string{
				"a/policy.yaml": sound, "a/kyverno-test.yaml": "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\n",
				"a/pods.yaml": "{apiVersion: v1, kind: Pod}\n---\n{apiVersion: v1, kind: Pod}\n", "a/values.yaml": "a: b\n",
				"a/b.yaml": "apiVersion: nvidia.com/v1\nkind: ClusterPolicy\n",
			}, 1, "map[cli.kyverno.io/v1alpha1 Test:1 nvidia.com/v1 ClusterPolicy:1 v1 Pod:2 without apiVersion and kind:1]", nil,
		},
		"not of what a cluster writes into a policy": {
			map[string]string{"a.yaml": strings.Replace(sound, "  name: sound", `  name: sound
  uid: 7b9c
  resourceVersion: "12"
  generation: 3
  creationTimestamp: "2026-01-02T03:04:05Z"
  managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
status: {ready: true, anything: [1]}`, 1)}, 1, "map[]", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, sum, problems, err := load(tc.files)
			if err != nil || problems != nil {
				t.Fatal(err, problems)
			}
			var got []string
			for _, w := range sum.Warnings {
				got = append(got, strings.TrimPrefix(w.String(), "b/"))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("warnings\n got %q\nwant %q", got, tc.want)
			}
			if s := fmt.Sprint(sum.Skipped); s != tc.skipped {
				t.Errorf("skipped\n got %s\nwant %s", s, tc.skipped)
			}
			if len(sum.Policies) != tc.policies {
				t.Errorf("got %d policies, want %d", len(sum.Policies), tc.policies)
			}
		})
	}
}

func TestAFileThatIsAskedForByNameMustHoldAPolicy(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("pod.yaml", []byte("apiVersion: v1\nkind: Pod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Load(context.Background(), Sources{Paths: []string{"pod.yaml"}})
	if want := "pod.yaml: holds no policy: expected a kyverno.io/v1 ClusterPolicy or Policy"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTheDigestDependsOnWhatPoliciesSayAlone(t *testing.T) {
	one := sound
	two := strings.Replace(one, "name: sound", "name: other", 1)
	want, _, problems, err := load(map[string]string{"a.yaml": one, "b.yaml": two})
	if err != nil || problems != nil {
		t.Fatal(err, problems)
	}
	list := "apiVersion: v1\nkind: List\nitems:\n"
	for _, p := range []string{two, one} {
		list += "- " + strings.ReplaceAll(strings.TrimSpace(p), "\n", "\n  ") + "\n"
	}
	jsonOne := `{"kind":"ClusterPolicy","apiVersion":"kyverno.io/v1","status":{"x":1},"metadata":{"uid":"u","name":"sound"},` +
		`"spec":{"rules":[{"validate":{"pattern":{"spec":{"hostNetwork":"!true"}},"message":"denied"},"match":{"any":[{"resources":{"kinds":["Pod"]}}]},"name":"first"}]}}`
	for name, tc := range map[string]struct {
		files map[string]string
		same  bool
	}{
		"other files in another order": {map[string]string{"z.yaml": one, "c.yaml": two}, true},
		"one file":                     {map[string]string{"a.yaml": two + "---\n" + one}, true},
		"a List":                       {map[string]string{"a.yaml": list}, true},
		"comments and quotes":          {map[string]string{"a.yaml": "# c\n" + strings.Replace(one, "name: first", "'name': \"first\" # c", 1), "b.yaml": two}, true},
		"JSON in another order":        {map[string]string{"a.json": jsonOne, "b.yaml": two}, true},
		"another message":              {map[string]string{"a.yaml": strings.Replace(one, "denied", "never", 1), "b.yaml": two}, false},
		"another name":                 {map[string]string{"a.yaml": strings.Replace(one, "sound", "sane", 1), "b.yaml": two}, false},
		"one policy less":              {map[string]string{"b.yaml": two}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, problems, err := load(tc.files)
			if err != nil || problems != nil {
				t.Fatal(err, problems)
			}
			if (got == want) != tc.same {
				t.Errorf("got %s, against %s: same = %v, want %v", got, want, got == want, tc.same)
			}
		})
	}
}

func TestTheShippedBundleLoads(t *testing.T) {
	s, sum, err := Load(context.Background(), Sources{FS: policies.FS(), FSName: "shipped"})
	if err != nil {
		t.Fatal(err)
	}
	if len(sum.Warnings) > 0 || len(sum.Skipped) > 0 || sum.Files != len(s.Policies()) {
		t.Errorf("got %+v", sum)
	}
	for i, p := range sum.Policies {
		if s.Policies()[i] != p.Policy {
			t.Errorf("policy %d is %s in the snapshot and %s in the summary", i, s.Policies()[i].Key(), p.Policy.Key())
		}
		if p.Position.Line == 0 || !strings.HasPrefix(p.Position.File, "shipped/"+p.Policy.Name) {
			t.Errorf("%s is at %s", p.Policy.Key(), p.Position)
		}
	}
}

func TestLoadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := Load(ctx, Sources{FS: policies.FS(), FSName: "shipped"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStore(t *testing.T) {
	first, _, err := Load(context.Background(), Sources{})
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := Load(context.Background(), Sources{})
	if err != nil {
		t.Fatal(err)
	}
	store := NewStore(first)
	if got := store.Swap(second); got != first {
		t.Error("Swap did not give the first snapshot")
	}
	if store.Current() != second {
		t.Error("the second snapshot is not in force")
	}
}

// FuzzLoad: whatever stands in a file, Load answers with a snapshot or with problems that have a place and
// a message, and does not panic.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte(strings.Replace(sound, "message: denied", "message: \"{{ request.object.metadata.name }}\"", 1)))
	f.Add([]byte("apiVersion: kyverno.io/v1\nkind: Policy\nmetadata: {name: x, namespace: y}\nspec: {rules: [{name: r, match: {all: [{resources: {kinds: ['*']}}]}, mutate: {patchStrategicMerge: {a: 1}}}]}\n"))
	f.Add([]byte("apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec: {rules: [{context: [{name: a, variable: {jmesPath: x}}], preconditions: {all: [{key: 1, operator: Equals, value: 2}]}, validate: {deny: {}}}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, err := Load(context.Background(), Sources{FS: fstest.MapFS{"p.yaml": {Data: data}}, FSName: "b"})
		var e *Error
		if err == nil {
			return
		}
		if !errors.As(err, &e) {
			t.Fatalf("not a list of problems: %v", err)
		}
		for _, p := range e.Problems {
			if p.File != "b/p.yaml" || p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("a problem without place or message: %+v", p)
			}
		}
	})
}
