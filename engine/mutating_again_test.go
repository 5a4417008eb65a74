package engine

import "testing"

// copies makes the label to hold what the label from holds, if there is one.
func copies(from, to string) string {
	return onResources("", "configmaps") + "matchConditions: [{name: c, expression: \"'" + from + "' in object.metadata.labels\"}]\n" +
		applying(`Object{metadata: Object.metadata{labels: {"`+to+`": object.metadata.labels["`+from+`"]}}}`)
}

const (
	again = "reinvocationPolicy: IfNeeded\n"
	once  = "reinvocationPolicy: Never\n"
)

func TestAMutatingPolicyIsReinvokedIfOthersChangedTheObject(t *testing.T) {
	config := "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: {x: '1'}}}"
	sets := func(label, value string) string {
		return onResources("", "configmaps") + applying(`Object{metadata: Object.metadata{labels: {"`+label+`": "`+value+`"}}}`)
	}
	grows := onResources("", "configmaps") + applying(`Object{metadata: Object.metadata{labels: {"x": object.metadata.labels.x + "."}}}`)
	for name, c := range map[string]struct {
		specs []string
		want  string
	}{
		"Never": {[]string{copies("x", "y") + once, sets("x", "2")},
			"a pass: mutated\nb pass: mutated\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"2"},{"op":"add","path":"/metadata/labels/y","value":"1"}]`},
		"IfNeeded": {[]string{copies("x", "y") + again, sets("x", "2")},
			"a pass: mutated\nb pass: mutated\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"2"},{"op":"add","path":"/metadata/labels/y","value":"2"}]`},
		"nothing was changed behind it": {[]string{grows + again, sets("x", "1.")},
			"a pass: mutated\nb pass: the object is as the rule wants it\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"1."}]`},
		"it was changed before it alone": {[]string{sets("y", "2"), grows + again},
			"a pass: mutated\nb pass: mutated\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"1."},{"op":"add","path":"/metadata/labels/y","value":"2"}]`},
		"it changes something the second time only": {[]string{sets("x", "1") + again, sets("x", "3")},
			"a pass: mutated\nb pass: mutated\nnull"},
		"two that never agree are each asked once more": {[]string{grows + again, grows + again},
			"a pass: mutated\nb pass: mutated\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"1...."}]`},
		"one whose conditions do not hold any more": {[]string{onResources("", "configmaps") + again + "matchConditions: [{name: c, expression: object.metadata.labels.x == '1'}]\n" + applying(`Object{metadata: Object.metadata{labels: {"y": "1"}}}`), sets("x", "2")},
			"a pass: mutated\nb pass: mutated\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"2"},{"op":"add","path":"/metadata/labels/y","value":"1"}]`},
		"an error the second time": {[]string{onResources("", "configmaps") + again + applying(`Object{metadata: Object.metadata{labels: {"y": string(1 / (2 - int(object.metadata.labels.x)))}}}`), sets("x", "2")},
			"a error: could not be evaluated: mutations[0]: expression 'Object{metadata: Object.metadata{labels: {\"y\": string(1 / (2 - int(object.metadata.labels.x)))}}}': division by zero\nb pass: mutated\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"2"},{"op":"add","path":"/metadata/labels/y","value":"1"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mutatingSnapshot(t, "", c.specs...).Mutate(t.Context(), asking(t, config), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "mutation", mutationText(t, m), c.want)
		})
	}
}

func TestAnAuditFindsWhatAMutatingPolicyWouldChange(t *testing.T) {
	config := "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop, labels: {x: '1'}}}"
	maps := onResources("", "configmaps")
	sets := maps + applying(`Object{metadata: Object.metadata{labels: {"y": "2"}}}`)
	for name, c := range map[string]struct {
		specs []string
		want  string
	}{
		"an object that has drifted": {[]string{sets},
			"a fail: the object differs from what the rule wants at /metadata/labels/y\n" + `[{"op":"add","path":"/metadata/labels/y","value":"2"}]`},
		"an object that has not": {[]string{maps + applying(`Object{metadata: Object.metadata{labels: {"x": "1"}}}`)}, "a pass\nnull"},
		"with background off":    {[]string{sets + "evaluation: {background: {enabled: false}}"}, "null"},
		"with admission off": {[]string{sets + "evaluation: {admission: {enabled: false}}"},
			"a fail: the object differs from what the rule wants at /metadata/labels/y\n" + `[{"op":"add","path":"/metadata/labels/y","value":"2"}]`},
		"one that holds no more once it is applied": {[]string{maps + "matchConditions: [{name: c, expression: \"!('y' in object.metadata.labels)\"}]\n" + patching(`[JSONPatch{op: "add", path: "/metadata/labels/y", value: "2"}, JSONPatch{op: "copy", from: "/metadata/labels/x", path: "/metadata/labels/z"}]`)},
			"a fail: the object differs from what the rule wants at /metadata/labels/y, /metadata/labels/z\n" + `[{"op":"add","path":"/metadata/labels/y","value":"2"},{"op":"add","path":"/metadata/labels/z","value":"1"}]`},
		"one that never comes to rest": {[]string{maps + applying(`Object{metadata: Object.metadata{labels: {"x": object.metadata.labels.x + "."}}}`)},
			"a error: could not be evaluated: the rule never comes to rest: applied to its own result it changes /metadata/labels/x again\n" + `[{"op":"replace","path":"/metadata/labels/x","value":"1."}]`},
		"one that needs the user": {[]string{maps + applying(`Object{metadata: Object.metadata{labels: {"by": request.userInfo.username}}}`)},
			"a skip: not auditable: needs request.userInfo\nnull"},
		"one that needs the old object": {[]string{maps + applying(`Object{metadata: Object.metadata{labels: {"was": oldObject.metadata.labels.x}}}`)},
			"a skip: not auditable: needs oldObject\nnull"},
		"one that can do without the old object": {[]string{maps + applying(`Object{metadata: Object.metadata{labels: {"was": has(oldObject.metadata) ? "old" : "new"}}}`)},
			"a fail: the object differs from what the rule wants at /metadata/labels/was\n" + `[{"op":"add","path":"/metadata/labels/was","value":"new"}]`},
		"two that build on one another": {[]string{sets, copies("y", "z")},
			"a fail: the object differs from what the rule wants at /metadata/labels/y\nb fail: the object differs from what the rule wants at /metadata/labels/y, /metadata/labels/z\n" +
				`[{"op":"add","path":"/metadata/labels/y","value":"2"},{"op":"add","path":"/metadata/labels/z","value":"2"}]`},
		"one that is reinvoked": {[]string{copies("x", "y") + again, maps + applying(`Object{metadata: Object.metadata{labels: {"x": "2"}}}`)},
			"a fail: the object differs from what the rule wants at /metadata/labels/y\nb fail: the object differs from what the rule wants at /metadata/labels/x\n" +
				`[{"op":"replace","path":"/metadata/labels/x","value":"2"},{"op":"add","path":"/metadata/labels/y","value":"2"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			s := mutatingSnapshot(t, "", c.specs...)
			m, err := s.Audit(t.Context(), resting(t, config), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "audit", mutationText(t, m), c.want)
		})
	}
}
