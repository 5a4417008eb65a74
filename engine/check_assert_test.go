package engine

import (
	"strings"
	"testing"
)

func TestAssert(t *testing.T) {
	const pod = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop, labels: {app: web}}, spec: {containers: [{name: a, image: nginx}, {name: b, image: busybox}]}}"
	for name, c := range map[string]struct {
		rule   string
		change func(*Request)
		want   string
	}{
		"an object that is as it says":     {"validate: {assert: {object: {metadata: {labels: {app: web}}}}}", nil, "r pass"},
		"an object that is not":            {"validate: {message: Not so., assert: {object: {~.(spec.containers): {image: nginx}}}}", nil, `r fail: Not so. Failed object.~.(spec.containers)[1].image must be "nginx"`},
		"values of different kinds":        {"validate: {assert: {object: {metadata: {name: 1}}}}", nil, "r error: could not be evaluated: object.metadata.name: a number is compared with a text"},
		"who asks, and for what":           {"validate: {assert: {operation: CREATE, admissionOperation: true, admissionInfo: {userInfo: {username: jane}, roles: ['a:reader']}}}", nil, "r pass"},
		"the kind":                         {"validate: {assert: {resourceKind: {group: '', version: v1, kind: Pod}}}", nil, "r pass"},
		"labels of the namespace":          {"validate: {assert: {namespaceLabels: {team: red}}}", nil, "r pass"},
		"a variable of the context":        {"context: [{name: wanted, variable: {value: web}}], validate: {assert: {object: {metadata: {labels: {app: ($wanted)}}}}}", nil, "r pass"},
		"a variable that is nowhere":       {"validate: {assert: {object: {metadata: {name: ($wanted)}}}}", nil, "r error: could not be evaluated: object.metadata.name: $wanted: $wanted is not bound to a value here"},
		"preconditions":                    {"preconditions: {all: [{key: a, operator: Equals, value: b}]}, validate: {assert: {object: {a: b}}}", nil, "r skip: preconditions not met"},
		"the old object, at rest":          {"validate: {assert: {oldObject: {}}}", withoutUser, "r skip: not auditable: needs request.oldObject"},
		"the user, at rest":                {"validate: {assert: {(admissionInfo.userInfo.username == 'x'): true}}", withoutUser, "r skip: not auditable: needs request.clusterRoles"},
		"an object at rest":                {"validate: {assert: {(object.metadata.name == 'a'): true, operation: CREATE}}", withoutUser, "r pass"},
		"the old object of an update":      {"validate: {assert: {(oldObject.metadata.name == object.metadata.name): true}}", func(r *Request) { r.Operation, r.OldObject = Update, r.Object }, "r pass"},
		"a document that is read as whole": {"validate: {assert: {(length(keys(@))): 8}}", nil, "r pass"},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+c.rule+"}]}"))
			req := asking(t, pod)
			if c.change != nil {
				c.change(req)
			}
			in := world{labels: map[string]map[string]string{"shop": {"team": "red"}}, roles: []string{"a:reader"}}.inputs()
			same(t, "decisions", lines(s.Validate(t.Context(), req, in)), c.want)
		})
	}
}

// withoutUser makes the request one without a user: an object at rest.
func withoutUser(r *Request) { r.User, r.UID = nil, "" }

// A rule is not implied to be about deletions; one that names them sees the old object alone.
func TestAssertOnDeletion(t *testing.T) {
	const named = "{rules: [{name: r, match: {any: [{resources: {kinds: [Pod], operations: [DELETE]}}]}, validate: {assert: {object: null, oldObject: {metadata: {name: b}}}}}]}"
	const implied = "{rules: [{name: r, " + onPods + "validate: {assert: {object: {a: b}}}}]}"
	for spec, want := range map[string]string{named: `r fail: failed oldObject.metadata.name must be "b"`, implied: ""} {
		s := snapshot(t, withoutAutogen("p", spec))
		req := asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}}")
		req.Operation, req.Object, req.OldObject = Delete, nil, req.Object
		same(t, spec, lines(s.Validate(t.Context(), req, world{}.inputs())), want)
	}
}

func TestAssertErrorsHaveTheirPlace(t *testing.T) {
	_, err := tryCompile(t, clusterPolicy("p", "{rules: [{name: r, "+onPods+"validate: {assert: {object: {(spec.): x}}}}]}"))
	const want = `ClusterPolicy/p: spec.rules[0].validate.assert.object.(spec.): expression "spec."`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
