package engine

import (
	"context"
	"strings"
	"testing"
)

const onPods = "match: {any: [{resources: {kinds: [Pod]}}]}, "

// One policy with rules on Pods, asked about plainPod as it is being created.
func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		spec   string
		change func(*Request)
		want   string
	}{
		"deny with conditions that hold": {
			spec: "{rules: [{name: r, " + onPods + "validate: {message: no web, deny: {conditions: {all: [{key: '{{ request.object.metadata.labels.app }}', operator: Equals, value: web}]}}}}]}",
			want: "r fail: no web",
		},
		"deny with conditions that do not": {
			spec: "{rules: [{name: r, " + onPods + "validate: {deny: {conditions: {all: [{key: '{{ request.object.metadata.labels.app }}', operator: Equals, value: db}]}}}}]}",
			want: "r pass",
		},
		"the message of a condition": {
			spec: "{rules: [{name: r, " + onPods + "validate: {message: Not so., deny: {conditions: {all: [{key: a, operator: Equals, value: a, message: a is a}]}}}}]}",
			want: "r fail: Not so. a is a",
		},
		"deny with a variable that is not there": {
			spec: "{rules: [{name: r, " + onPods + "validate: {deny: {conditions: {all: [{key: '{{ request.object.nothing }}', operator: Equals, value: a}]}}}}]}",
			want: `r error: could not be evaluated: deny conditions: all[0]: key: request.object.nothing: not found: unknown key "nothing"`,
		},
		"a condition with a null value": {
			spec: "{rules: [{name: r, " + onPods + "validate: {deny: {conditions: {all: [{key: '{{ request.object.spec.x || null }}', operator: NotEquals, value: null}]}}}}]}",
			want: "r pass",
		},
		"an any without conditions is not met": {
			spec: "{rules: [{name: r, " + onPods + "preconditions: {any: []}, validate: {deny: {}}}]}",
			want: "r skip: preconditions not met",
		},
		"preconditions that do not hold": {
			spec: "{rules: [{name: r, " + onPods + "preconditions: {all: [{key: a, operator: Equals, value: b}]}, validate: {deny: {}}}]}",
			want: "r skip: preconditions not met",
		},
		"preconditions that hold": {
			spec: "{rules: [{name: r, " + onPods + "preconditions: {all: [{key: a, operator: Equals, value: a}]}, validate: {deny: {}}}]}",
			want: "r fail: rule r failed",
		},
		"a pattern that matches": {
			spec: "{rules: [{name: r, " + onPods + "validate: {pattern: {metadata: {labels: {app: '?*'}}}}}]}",
			want: "r pass",
		},
		"a pattern that does not": {
			spec: "{rules: [{name: r, " + onPods + "validate: {message: An owner is named., pattern: {metadata: {labels: {owner: '?*'}}}}}]}",
			want: "r fail: An owner is named. Failed at /metadata/labels/owner/",
		},
		"a pattern without message": {
			spec: "{rules: [{name: r, " + onPods + "validate: {pattern: {metadata: {labels: {owner: '?*'}}}}}]}",
			want: "r fail: failed at /metadata/labels/owner/",
		},
		"a pattern whose condition does not hold": {
			spec: "{rules: [{name: r, " + onPods + "validate: {pattern: {metadata: {labels: {(app): db, owner: '?*'}}}}}]}",
			want: "r skip: a condition of the pattern does not hold: must match \"db\"",
		},
		"one of two patterns": {
			spec: "{rules: [{name: r, " + onPods + "validate: {anyPattern: [{metadata: {labels: {app: db}}}, {metadata: {labels: {app: web}}}]}}]}",
			want: "r pass",
		},
		"none of two patterns": {
			spec: "{rules: [{name: r, " + onPods + "validate: {message: never, anyPattern: [{metadata: {labels: {app: db}}}, {metadata: {labels: {app: cache}}}]}}]}",
			want: "r fail: never; failed anyPattern[0] at /metadata/labels/app/, anyPattern[1] at /metadata/labels/app/",
		},
		"a pattern that has no answer for the object's shape leaves it to the others": {
			spec: "{rules: [{name: r, " + onPods + "validate: {anyPattern: [{spec: {^(l): [{a: x}], b: y}}, {metadata: {labels: {app: web}}}]}}]}",
			want: "r pass",
		},
		"and has failed with them": {
			spec: "{rules: [{name: r, " + onPods + "validate: {anyPattern: [{spec: {^(l): [{a: x}], b: y}}, {metadata: {labels: {app: db}}}]}}]}",
			want: "r fail: failed anyPattern[0] at /spec/b/, anyPattern[1] at /metadata/labels/app/",
		},
		"another error of a pattern is one": {
			spec: "{rules: [{name: r, " + onPods + "validate: {anyPattern: [{metadata: {labels: {app: '{{ request.object.nothing }}'}}}, {metadata: {labels: {app: web}}}]}}]}",
			want: `r error: could not be evaluated: resolving the variables of the pattern: request.object.nothing: not found: unknown key "nothing"`,
		},
		"a message with a variable that is not there": {
			spec: "{rules: [{name: r, " + onPods + "validate: {message: 'see {{ request.object.nothing }}', deny: {}}}]}",
			want: "r fail: see {{ request.object.nothing }}",
		},
		"a context variable": {
			spec: "{rules: [{name: r, " + onPods + "context: [{name: app, variable: {jmesPath: request.object.metadata.labels.app}}, {name: twice, variable: {value: '{{ app }}{{ app }}'}}], validate: {message: '{{ twice }}', deny: {}}}]}",
			want: "r fail: webweb",
		},
		"a context variable with a query on its value": {
			spec: "{rules: [{name: r, " + onPods + "context: [{name: x, variable: {value: {a: {b: 7}}, jmesPath: a.b}}], validate: {message: '{{ x }}', deny: {}}}]}",
			want: "r fail: 7",
		},
		"a context variable with a default": {
			spec: "{rules: [{name: r, " + onPods + "context: [{name: x, variable: {jmesPath: request.object.nothing, default: none}}], validate: {message: '{{ x }}', deny: {}}}]}",
			want: "r fail: none",
		},
		"a context variable without value and default": {
			spec: "{rules: [{name: r, " + onPods + "context: [{name: x, variable: {jmesPath: request.object.nothing}}], validate: {deny: {conditions: {any: [{key: '{{ x }}', operator: Equals, value: x}]}}}}]}",
			want: `r error: could not be evaluated: context variable x: request.object.nothing: not found: unknown key "nothing"`,
		},
		"a context variable that nothing reads": {
			spec: "{rules: [{name: r, " + onPods + "context: [{name: x, variable: {jmesPath: request.object.nothing}}], validate: {deny: {}}}]}",
			want: "r fail: rule r failed",
		},
		"a context variable that the message alone reads, and that has no value": {
			spec: "{rules: [{name: r, " + onPods + "context: [{name: x, variable: {jmesPath: request.object.nothing}}], validate: {message: 'not {{ x }}', deny: {}}}]}",
			want: "r fail: not {{ x }}",
		},
		"images": {
			spec: "{rules: [{name: r, " + onPods + "validate: {message: '{{ images.containers.c.registry }} {{ images.containers.c.path }} {{ images.containers.c.tag }}', deny: {}}}]}",
			want: "r fail: docker.io nginx latest",
		},
		"the user": {
			spec: "{rules: [{name: r, " + onPods + "validate: {message: '{{ request.userInfo.username }} {{ request.operation }}', deny: {}}}]}",
			want: "r fail: jane CREATE",
		},
		"a pattern has nothing to say of a deletion": {
			spec:   "{rules: [{name: r, match: {any: [{resources: {kinds: [Pod], operations: [CREATE, DELETE]}}]}, validate: {pattern: {metadata: {labels: {owner: '?*'}}}}}]}",
			change: deletion,
		},
		"on a deletion the object is the old one": {
			spec:   "{rules: [{name: r, " + onPods + "validate: {message: '{{ request.object.metadata.name }} {{ request.oldObject.metadata.name }}', deny: {}}}]}",
			change: deletion,
			want:   "r fail: web-1 web-1",
		},
		"every rule of a policy": {
			spec: "{rules: [{name: a, " + onPods + "validate: {deny: {}}}, {name: b, " + onPods + "validate: {deny: {}}}]}",
			want: "a fail: rule a failed\nb fail: rule b failed",
		},
		"applyRules One ends with the first verdict": {
			spec: "{applyRules: One, rules: [{name: s, " + onPods + "preconditions: {all: [{key: a, operator: Equals, value: b}]}, validate: {deny: {}}}, {name: a, " + onPods + "validate: {deny: {}}}, {name: b, " + onPods + "validate: {deny: {}}}]}",
			want: "s skip: preconditions not met\na fail: rule a failed",
		},
		"a policy that is off at admission": {
			spec: "{admission: false, rules: [{name: r, " + onPods + "validate: {deny: {}}}]}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", c.spec))
			req := asking(t, plainPod)
			if c.change != nil {
				c.change(req)
			}
			same(t, "decisions", lines(s.Validate(t.Context(), req, world{}.inputs())), c.want)
		})
	}
}

func TestAuditOfValidateRules(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"a policy with background off":      {"{background: false, rules: [{name: r, " + onPods + "validate: {deny: {}}}]}", ""},
		"a policy that is off at admission": {"{admission: false, rules: [{name: r, " + onPods + "validate: {deny: {}}}]}", "r fail: rule r failed"},
		"a rule that reads the old object": {
			"{rules: [{name: r, " + onPods + "validate: {deny: {conditions: {all: [{key: '{{ request.oldObject.spec }}', operator: Equals, value: a}]}}}}]}",
			"r skip: not auditable: needs request.oldObject",
		},
		"a rule that reads the user, in its context": {
			"{background: true, rules: [{name: r, " + onPods + "context: [{name: u, variable: {jmesPath: request.userInfo.username}}], validate: {message: '{{ u }}', deny: {}}}]}",
			"r skip: not auditable: needs request.userInfo",
		},
		"a rule on deletions": {
			"{rules: [{name: r, match: {any: [{resources: {kinds: [Pod], operations: [DELETE]}}]}, validate: {deny: {}}}]}",
			"r skip: not auditable: matches only DELETE",
		},
		"a rule on deletions of another kind": {
			"{rules: [{name: r, match: {any: [{resources: {kinds: [Service], operations: [DELETE]}}]}, validate: {deny: {}}}]}", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := snapshot(t, withoutAutogen("p", c.spec)).Audit(t.Context(), resting(t, plainPod), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(m.Decisions), c.want)
		})
	}
}

func TestTimeThatIsOverIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {deny: {}}}, {name: other, match: {any: [{resources: {kinds: [Service]}}]}, validate: {deny: {}}}]}"))
	same(t, "decisions", lines(s.Validate(ctx, asking(t, plainPod), world{}.inputs())),
		"r error: could not be evaluated: not evaluated in time: context canceled")
}

func TestImages(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for image, want := range map[string]string{
		"nginx":                    "docker.io nginx nginx latest docker.io/nginx:latest",
		"library/nginx:1.27":       "docker.io library/nginx nginx 1.27 docker.io/library/nginx:1.27",
		"localhost/a":              "localhost a a latest localhost/a:latest",
		"r.example.com:5000/a/b:2": "r.example.com:5000 a/b b 2 r.example.com:5000/a/b:2",
		"ghcr.io/a/b@" + digest:    "ghcr.io a/b b none ghcr.io/a/b@" + digest,
		"ghcr.io/a/b:3@" + digest:  "ghcr.io a/b b 3 ghcr.io/a/b@" + digest,
		"Not An Image":             `r error: could not be evaluated: reading the image of containers[0]: "Not An Image" is not an image reference: invalid reference format`,
	} {
		s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"context: [{name: i, variable: {jmesPath: images.containers.c}}], validate: {message: \"{{ i.registry }} {{ i.path }} {{ i.name }} {{ i.tag || 'none' }} {{ i.reference }}\", deny: {}}}]}"))
		got := lines(s.Validate(t.Context(), asking(t, strings.Replace(plainPod, "nginx", "'"+image+"'", 1)), world{}.inputs()))
		same(t, image, strings.TrimPrefix(got, "r fail: "), want)
	}
}
