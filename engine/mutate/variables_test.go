package mutate

import (
	"reflect"
	"testing"
)

func TestStrategicVariables(t *testing.T) {
	s := newSchema(t)
	for name, c := range map[string]struct {
		object  string
		root    string // further keys of the root document
		patch   string
		outcome Outcome
		want    string
		err     string
		refs    []string
	}{
		"a variable is filled in": {
			patch: `{metadata: {labels: {owner: "{{ owner }}", note: "by {{ owner }}"}}}`, root: `owner: ann`,
			want: `[{op: add, path: /metadata/labels/note, value: by ann}, {op: add, path: /metadata/labels/owner, value: ann}]`,
			refs: []string{"owner"},
		},
		"a variable may stand for any value": {
			patch: `{spec: {hostNetwork: "{{ flag }}", priority: "{{ num }}", securityContext: "{{ ctx }}"}}`,
			root:  `{flag: true, num: 5, ctx: {runAsNonRoot: true, runAsUser: null}}`,
			want: `
- {op: add, path: /spec/hostNetwork, value: true}
- {op: add, path: /spec/priority, value: 5}
- {op: add, path: /spec/securityContext, value: {runAsNonRoot: true}}`,
			refs: []string{"ctx", "flag", "num"},
		},
		"an object from a variable is merged": {
			patch: `{metadata: {labels: "{{ labels }}"}}`, root: `labels: {tier: back, app: null}`,
			want: `[{op: remove, path: /metadata/labels/app}, {op: replace, path: /metadata/labels/tier, value: back}]`,
			refs: []string{"labels"},
		},
		"a list from a variable is merged by its keys": {
			patch: `{spec: {containers: "{{ list }}"}}`, root: `list: [{name: proxy, stdin: true}]`,
			want: `[{op: add, path: /spec/containers/1/stdin, value: true}]`,
			refs: []string{"list"},
		},
		"a variable that is null removes": {
			patch: `{spec: {restartPolicy: "{{ none }}"}}`, root: `none: null`,
			want: `[{op: remove, path: /spec/restartPolicy}]`,
			refs: []string{"none"},
		},
		"a variable in a key": {
			patch: `{metadata: {labels: {"{{ k }}": x, "+({{ other }})": "y"}}}`, root: `{k: zone, other: app}`,
			want: `[{op: add, path: /metadata/labels/zone, value: x}]`,
			refs: []string{"k", "other"},
		},
		"a variable in the key of a condition": {
			patch: `{metadata: {labels: {"({{ k }})": web, x: "y"}}}`, root: `{k: app}`,
			want: `[{op: add, path: /metadata/labels/x, value: "y"}]`,
			refs: []string{"k"},
		},
		"a variable in a condition": {
			patch: `{spec: {containers: [{(name): "{{ who }}", stdin: true}]}}`, root: `{who: "p*"}`,
			want: `[{op: add, path: /spec/containers/1/stdin, value: true}]`,
			refs: []string{"who"},
		},
		"a variable in a condition that is a pattern": {
			patch: `{metadata: {(labels): {app: "{{ who }}"}}, spec: {hostNetwork: false}}`, root: `{who: "!web"}`,
			outcome: Skip, refs: []string{"who"},
		},
		"a variable in a name that selects": {
			patch: `{spec: {containers: [{name: "{{ who }}", +(stdin): true}]}}`, root: `{who: proxy}`,
			want: `[{op: add, path: /spec/containers/1/stdin, value: true}]`,
			refs: []string{"who"},
		},
		"a variable in a key that selects": {
			patch: `{spec: {containers: [{(name): main, ports: [{containerPort: "{{ port }}", (protocol): "*", hostPort: 80}]}]}}`, root: `{port: 9}`,
			outcome: Unchanged, refs: []string{"port"},
		},
		"self is the object's value at the same place": {
			patch: `{metadata: {labels: {app: "{{ @ }}-v2"}}, spec: {containers: [{name: main, image: "{{ regex_replace_all('^registry', '{{@}}', 'mirror') }}"}]}}`,
			want: `
- {op: replace, path: /metadata/labels/app, value: web-v2}
- {op: replace, path: /spec/containers/0/image, value: "mirror.example/web:1.4"}`,
			refs: []string{"@", "request.object.metadata.labels.app", "request.object.spec.containers"},
		},
		"self under anchors": {
			patch: `{spec: {(containers): [{(name): "{{ @ }}"}], +(hostname): x}}`,
			want:  `[{op: add, path: /spec/hostname, value: x}]`,
			refs:  []string{"request.object.spec.containers"},
		},
		"what a variable brings is data: it holds no anchors, directives or variables": {
			patch: `{metadata: {labels: "{{ labels }}", annotations: {a: "{{ text }}"}}}`,
			root:  `{labels: {"+(app)": x, (tier): "y", $patch: delete}, text: "\u007b\u007b owner }}"}`,
			want: `
- {op: add, path: /metadata/annotations, value: {a: "\u007b\u007b owner }}"}}
- {op: add, path: /metadata/labels/$patch, value: delete}
- {op: add, path: /metadata/labels/(tier), value: "y"}
- {op: add, path: /metadata/labels/+(app), value: x}`,
			refs: []string{"labels", "text"},
		},
		"escaped braces are text": {
			patch: `{metadata: {labels: {a: "\\{{ b }}"}}}`,
			want:  `[{op: add, path: /metadata/labels/a, value: "\u007b\u007b b }}"}]`,
		},
		"a variable that is missing is an error": {
			patch:   `{metadata: {labels: {a: "{{ nobody }}"}}}`,
			outcome: Error, err: `applying the patch: the variables at metadata.labels.a: nobody: not found: unknown key "nobody"`,
			refs: []string{"nobody"},
		},
		"even where a condition leaves its place out": {
			patch:   `{spec: {(restartPolicy): Never, containers: [{(name): other, (image): "{{ nobody }}"}]}}`,
			outcome: Error, err: `applying the patch: the variables at spec.containers[0].(image): nobody: not found: unknown key "nobody"`,
			refs: []string{"nobody"},
		},
		"and in a pattern": {
			patch:   `{spec: {(restartPolicy): Never, containers: [{(env): [{name: "{{ nobody }}"}]}]}}`,
			outcome: Error, err: `applying the patch: the variables at spec.containers[0].(env): nobody: not found: unknown key "nobody"`,
			refs: []string{"nobody"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			source := c.object
			if source == "" {
				source = pod
			}
			obj := object(t, source)
			p, err := CompileStrategic(value(t, c.patch), Options{Schema: s, Self: self})
			if err != nil {
				t.Fatal(err)
			}
			if refs := p.References(); !reflect.DeepEqual(refs, c.refs) && len(refs)+len(c.refs) > 0 {
				t.Errorf("references %q, want %q", refs, c.refs)
			}
			env := requestEnv(t, obj, c.root)
			root := deepCopy(t, env.Root)
			res := run(t, p, env, obj)
			if res.Outcome != c.outcome || errorText(res.Err) != c.err {
				t.Fatalf("got %s, %v; want %s, %s", res.Outcome, res.Err, c.outcome, c.err)
			}
			if !reflect.DeepEqual(deepCopy(t, env.Root), root) {
				t.Error("the variables were changed")
			}
			checkChanges(t, obj, res.Object, c.want)
		})
	}
}

// checkChanges compares what Diff finds with operations in YAML.
func checkChanges(t *testing.T, before, after map[string]any, want string) {
	t.Helper()
	ops, err := Diff(before, after)
	if err != nil {
		t.Fatal(err)
	}
	expected := "null"
	if want != "" {
		expected = text(t, value(t, want))
	}
	if got := text(t, deepCopy(t, ops)); got != expected {
		t.Errorf("changes\n got %s\nwant %s", got, expected)
	}
}
