package mutate

import (
	"testing"
)

func TestConditions(t *testing.T) {
	runStrategic(t, map[string]strategicCase{
		"a condition that holds lets the patch through, and is no part of it": {
			patch: `{metadata: {labels: {(app): "w*", zone: a}}}`,
			want:  `[{op: add, path: /metadata/labels/zone, value: a}]`,
		},
		"a condition that does not hold leaves the whole patch out": {
			patch:   `{metadata: {labels: {(app): db}}, spec: {hostNetwork: false}}`,
			outcome: Skip, message: "the condition at metadata.labels.(app) does not hold",
		},
		"a condition on a field that is missing does not hold": {
			patch:   `{metadata: {annotations: {(note): "*"}}, spec: {hostNetwork: false}}`,
			outcome: Skip, message: "the condition at metadata.annotations.(note) does not hold: the object has no such field",
		},
		"a condition on a null holds for anything that text can be": {
			object: `{apiVersion: v1, kind: Pod, spec: {nodeName: null}}`,
			patch:  `{metadata: {name: x}, spec: {(nodeName): "*"}}`,
			want:   `[{op: add, path: /metadata, value: {name: x}}]`,
		},
		"conditions know operators": {
			object: `{apiVersion: apps/v1, kind: Deployment, spec: {replicas: 5}}`,
			patch:  `{spec: {(replicas): ">3 & <9", paused: true}}`,
			want:   `[{op: add, path: /spec/paused, value: true}]`,
		},
		"conditions know negation": {
			patch:   `{spec: {(restartPolicy): "!Always", hostNetwork: false}}`,
			outcome: Skip, message: "the condition at spec.(restartPolicy) does not hold",
		},
		"scalars of conditions are compared as texts": {
			object: `{apiVersion: v1, kind: ConfigMap, data: {port: "80", up: "true", down: false}}`,
			patch:  `{data: {(port): 80, (up): true, (down): "false", x: "y"}}`,
			want:   `[{op: add, path: /data/x, value: "y"}]`,
		},
		"each element of a list must match a scalar": {
			object:  `{apiVersion: example.com/v1, kind: Flow, spec: {hosts: [db.internal, web.example]}}`,
			patch:   `{spec: {(hosts): "*.internal", private: true}}`,
			outcome: Skip, message: "the condition at spec.(hosts) does not hold",
		},
		"and a list in which each does lets the patch through": {
			object: `{apiVersion: example.com/v1, kind: Flow, spec: {hosts: [db.internal, web.internal]}}`,
			patch:  `{spec: {(hosts): "*.internal", private: true}}`,
			want:   `[{op: add, path: /spec/private, value: true}]`,
		},
		"a condition may be a whole pattern, of which nothing is written": {
			patch: `{spec: {(containers): [{(name): main, image: "registry.example/*", =(stdin): false, X(tty): null}], hostNetwork: false}}`,
			want:  `[{op: add, path: /spec/hostNetwork, value: false}]`,
		},
		"a pattern that does not match leaves the patch out": {
			patch:   `{spec: {(containers): [{image: "*:1.4"}], hostNetwork: false}}`,
			outcome: Skip, message: "the condition at spec.(containers) does not hold",
		},
		"a condition at the top is no part of the patch": {
			patch: `{(metadata): {labels: {app: "w?b"}}, spec: {hostNetwork: false}}`,
			want:  `[{op: add, path: /spec/hostNetwork, value: false}]`,
		},
		"a patch of nothing but conditions changes nothing": {
			patch: `{metadata: {labels: {(app): web}}, spec: {containers: [{(name): main}]}}`, outcome: Unchanged,
		},
		"a condition beside the field lets the patch change what it asks for": {
			patch: `{spec: {(restartPolicy): Always, restartPolicy: OnFailure}}`,
			want:  `[{op: replace, path: /spec/restartPolicy, value: OnFailure}]`,
		},
		"a condition that does not hold is stronger than a merge that fails": {
			patch:   `{metadata: {labels: [x]}, spec: {(restartPolicy): Never}}`,
			outcome: Skip, message: "the condition at spec.(restartPolicy) does not hold",
		},
		"an object is no match for a star": {
			patch:   `{metadata: {(labels): "*"}, spec: {hostNetwork: false}}`,
			outcome: Skip, message: "the condition at metadata.(labels) does not hold",
		},
	})
}

func TestConditionsInLists(t *testing.T) {
	runStrategic(t, map[string]strategicCase{
		"a condition selects the elements to be patched": {
			patch: `{spec: {containers: [{(image): "*:latest", imagePullPolicy: Always}]}}`,
			want:  `[{op: add, path: /spec/containers/1/imagePullPolicy, value: Always}]`,
		},
		"a star selects all": {
			patch: `{spec: {containers: [{(name): "*", stdin: false}]}}`,
			want:  `[{op: add, path: /spec/containers/0/stdin, value: false}, {op: add, path: /spec/containers/1/stdin, value: false}]`,
		},
		"a condition that no element meets patches none, and the rest of the patch applies": {
			patch: `{metadata: {labels: {a: b}}, spec: {containers: [{(name): other, stdin: false}]}}`,
			want:  `[{op: add, path: /metadata/labels/a, value: b}]`,
		},
		"a list that is missing has no element to patch": {
			patch: `{spec: {initContainers: [{(name): "*", stdin: false}]}}`, outcome: Unchanged,
		},
		"several conditions must all hold": {
			patch: `{spec: {containers: [{(name): "*", (image): "*web*", stdin: false}]}}`,
			want:  `[{op: add, path: /spec/containers/0/stdin, value: false}]`,
		},
		"a condition deeper in the element selects too": {
			patch: `{spec: {volumes: [{emptyDir: {(medium): Memory, sizeLimit: 1Gi}}]}}`, outcome: Unchanged,
		},
		"several selections in one list each patch their own": {
			patch: `{spec: {containers: [{(name): m*, stdin: true}, {(name): p*, tty: true}, {(name): "*", workingDir: /w}]}}`,
			want: `
- {op: add, path: /spec/containers/0/stdin, value: true}
- {op: add, path: /spec/containers/0/workingDir, value: /w}
- {op: add, path: /spec/containers/1/tty, value: true}
- {op: add, path: /spec/containers/1/workingDir, value: /w}`,
		},
		"selections see the elements as they were": {
			patch: `{spec: {containers: [{(imagePullPolicy): Always, imagePullPolicy: Never}, {(imagePullPolicy): Never, stdin: true}]}}`,
			want:  `[{op: replace, path: /spec/containers/0/imagePullPolicy, value: Never}]`,
		},
		"selections and new elements may stand in one list": {
			patch: `{spec: {containers: [{(name): "*", stdin: true}, {name: log, image: l}]}}`,
			want: `
- {op: add, path: /spec/containers/0, value: {name: log, image: l}}
- {op: add, path: /spec/containers/1/stdin, value: true}
- {op: add, path: /spec/containers/2/stdin, value: true}`,
		},
		"an element that is deleted is not patched as well": {
			patch: `{spec: {containers: [{name: main, $patch: delete}, {(name): "*", stdin: true}]}}`,
			want:  `[{op: remove, path: /spec/containers/0}, {op: add, path: /spec/containers/0/stdin, value: true}]`,
		},
		"lists inside of selected elements are each looked at by themselves": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, env: [{name: A1}, {name: B}]}, {name: b, env: [{name: A2}]}]}}`,
			patch:  `{spec: {containers: [{(name): "*", env: [{(name): "A*", value: x}]}]}}`,
			want: `
- {op: add, path: /spec/containers/0/env/0/value, value: x}
- {op: add, path: /spec/containers/1/env/0/value, value: x}`,
		},
		"elements are selected in lists that go by another key": {
			patch: `{spec: {containers: [{(name): main, ports: [{(protocol): UDP, name: dns}]}]}}`,
			want:  `[{op: add, path: /spec/containers/0/ports/1/name, value: dns}]`,
		},
		"the keys of a list say which of the selected elements is meant": {
			patch: `{spec: {containers: [{(name): main, ports: [{containerPort: 8080, (protocol): "*", hostPort: 80}, {containerPort: 9, (protocol): "*", hostPort: 90}]}]}}`,
			want: `
- {op: add, path: /spec/containers/0/ports/0/hostPort, value: 80}
- {op: add, path: /spec/containers/0/ports/1/hostPort, value: 80}`,
		},
		"elements are selected in lists without a key": {
			patch: `{spec: {tolerations: [{(key): spot, effect: NoExecute}]}}`,
			want:  `[{op: add, path: /spec/tolerations/0/effect, value: NoExecute}]`,
		},
		"elements are selected in lists of a custom kind, and the others stay": {
			object: `{apiVersion: example.com/v1, kind: Flow, spec: {steps: [{name: one, run: x, at: 1}, {name: two, run: x}, three]}}`,
			patch:  `{spec: {steps: [{(name): one, run: "z"}]}}`,
			want:   `[{op: replace, path: /spec/steps/0/run, value: "z"}]`,
		},
		"a new element in such a list is added once": {
			object: `{apiVersion: example.com/v1, kind: Flow, spec: {steps: [{name: two}, {name: one}]}}`,
			patch:  `{spec: {steps: [{(name): one, run: "z"}, {name: two}, {name: zero}, {name: zero}]}}`,
			want:   `[{op: add, path: /spec/steps/0, value: {name: zero}}, {op: add, path: /spec/steps/2/run, value: "z"}]`,
		},
		"a name beside anchors selects": {
			patch: `{spec: {containers: [{name: main, +(imagePullPolicy): Never, +(stdin): true}]}}`,
			want:  `[{op: add, path: /spec/containers/0/stdin, value: true}]`,
		},
		"a name beside anchors may have wildcards": {
			patch: `{spec: {containers: [{name: "*", (image): "*:latest", stdin: true}]}}`,
			want:  `[{op: add, path: /spec/containers/1/stdin, value: true}]`,
		},
		"a name that is no text selects nothing of another kind": {
			patch: `{spec: {containers: [{name: 5, (image): "*", stdin: true}]}}`, outcome: Unchanged,
		},
		"a name is set where the list goes by another key": {
			patch: `{spec: {containers: [{(name): main, ports: [{(protocol): TCP, name: http}]}]}}`,
			want:  `[{op: add, path: /spec/containers/0/ports/0/name, value: http}]`,
		},
		"a name is set even when nothing else is": {
			patch: `{spec: {containers: [{(name): main, ports: [{(protocol): TCP, name: http, +(protocol): UDP}]}]}}`,
			want:  `[{op: add, path: /spec/containers/0/ports/0/name, value: http}]`,
		},
		"an error in a selected element names its place in the object": {
			patch: `{spec: {containers: [{(image): "*:latest", image: [x]}]}}`, outcome: Error,
			err: "applying the patch: spec.containers[1].image: the patch has a list where the object has a string",
		},
	})
}

func TestAddIfAbsent(t *testing.T) {
	runStrategic(t, map[string]strategicCase{
		"a field that is missing is added": {
			patch: `{metadata: {labels: {+(zone): a}}}`,
			want:  `[{op: add, path: /metadata/labels/zone, value: a}]`,
		},
		"with its parents": {
			patch: `{metadata: {annotations: {+(note): x}}}`,
			want:  `[{op: add, path: /metadata/annotations, value: {note: x}}]`,
		},
		"a field that is there stays": {patch: `{metadata: {labels: {+(app): other}}}`, outcome: Unchanged},
		"a field that is null is there": {
			object:  `{apiVersion: v1, kind: Pod, spec: {nodeName: null}}`,
			patch:   `{spec: {+(nodeName): n}}`,
			outcome: Unchanged,
		},
		"an object that would be empty is not added": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, stdin: true}]}}`,
			patch:  `{spec: {containers: [{(name): "*", +(stdin): false}]}}`, outcome: Unchanged,
		},
		"each element of a list is looked at by itself": {
			patch: `{spec: {containers: [{(name): "*", +(imagePullPolicy): IfNotPresent, securityContext: {+(privileged): false}}]}}`,
			want: `
- {op: add, path: /spec/containers/0/securityContext, value: {privileged: false}}
- {op: add, path: /spec/containers/1/imagePullPolicy, value: IfNotPresent}
- {op: add, path: /spec/containers/1/securityContext, value: {privileged: false}}`,
		},
		"anchors inside one another are added together": {
			patch: `{spec: {+(affinity): {+(nodeAffinity): {+(x): [a]}}}}`,
			want:  `[{op: add, path: /spec/affinity, value: {nodeAffinity: {x: [a]}}}]`,
		},
		"a list that is there is left alone": {
			patch: `{spec: {+(tolerations): [{key: gpu}], +(volumes): [{name: w}]}}`, outcome: Unchanged,
		},
		"in a condition it asks for no more than the field": {
			patch: `{spec: {volumes: [{(emptyDir): {+(sizeLimit): 1Gi, medium: Memory}}]}}`,
			want:  `[{op: add, path: /spec/volumes/0/emptyDir/medium, value: Memory}, {op: add, path: /spec/volumes/0/emptyDir/sizeLimit, value: 1Gi}]`,
		},
		"in a condition it stands beside further conditions": {
			object: `{apiVersion: v1, kind: Pod, spec: {volumes: [{name: a, emptyDir: {}}, {name: b, emptyDir: {medium: Memory}}, {name: c, hostPath: {}}]}}`,
			patch:  `{spec: {volumes: [{(emptyDir): {(medium): Memory, +(sizeLimit): 1Gi}}]}}`,
			want:   `[{op: add, path: /spec/volumes/1/emptyDir/sizeLimit, value: 1Gi}]`,
		},
		"in a condition on a field that is missing it does nothing": {
			object:  `{apiVersion: v1, kind: Pod, spec: {volumes: [{name: c, hostPath: {}}]}}`,
			patch:   `{spec: {volumes: [{(emptyDir): {+(sizeLimit): 1Gi}}]}}`,
			outcome: Unchanged,
		},
		"a condition inside of what is added never holds": {
			patch:   `{spec: {+(securityContext): {(runAsUser): 0, runAsNonRoot: true}}}`,
			outcome: Skip, message: "the condition at spec.+(securityContext).(runAsUser) does not hold: the object has no such field",
		},
		"a list of nothing but anchored elements is not added": {
			patch: `{spec: {imagePullSecrets: [{+(name): cred}]}}`, outcome: Unchanged,
		},
	})
}

func TestGlobalConditions(t *testing.T) {
	const guarded = `{metadata: {annotations: {+(evict): "true"}}, spec: {volumes: [{<(emptyDir): {}}]}}`
	runStrategic(t, map[string]strategicCase{
		"one that holds lets the patch through": {
			patch: `{metadata: {<(name): w*, labels: {a: b}}}`,
			want:  `[{op: add, path: /metadata/labels/a, value: b}]`,
		},
		"one that does not hold leaves the whole patch out": {
			patch:   `{metadata: {<(name): "!w*", labels: {a: b}}}`,
			outcome: Skip, message: "the condition at metadata.<(name) does not hold",
		},
		"in a list one element is enough": {
			object: `{apiVersion: v1, kind: Pod, spec: {volumes: [{name: a, secret: {}}, {name: b, emptyDir: {}}]}}`,
			patch:  guarded,
			want:   `[{op: add, path: /metadata, value: {annotations: {evict: "true"}}}]`,
		},
		"in a list without such an element it does not hold": {
			object:  `{apiVersion: v1, kind: Pod, spec: {volumes: [{name: a, secret: {}}]}}`,
			patch:   guarded,
			outcome: Skip, message: "the condition at spec.volumes[0].<(emptyDir) does not hold: the object has no such field",
		},
		"in a list that is missing it does not hold": {
			object:  `{apiVersion: v1, kind: Pod, spec: {}}`,
			patch:   guarded,
			outcome: Skip, message: "the condition at spec.volumes[0].<(emptyDir) does not hold: the object has no such field",
		},
		"in a list that is empty it does not hold": {
			object:  `{apiVersion: v1, kind: Pod, spec: {volumes: []}}`,
			patch:   guarded,
			outcome: Skip, message: "the condition at spec.volumes[0].<(emptyDir) does not hold: the object has no such field",
		},
		"deeper in an element it guards the patch too": {
			object:  `{apiVersion: v1, kind: Pod, spec: {volumes: [{name: a, hostPath: {path: /etc}}]}}`,
			patch:   `{metadata: {labels: {a: b}}, spec: {volumes: [{hostPath: {<(path): "/var*"}}]}}`,
			outcome: Skip, message: "the condition at spec.volumes[0].hostPath.<(path) does not hold",
		},
		"an element that only a plain condition leaves out fails nothing": {
			patch: `{metadata: {labels: {a: b}}, spec: {containers: [{(name): other, <(image): "*"}]}}`,
			want:  `[{op: add, path: /metadata/labels/a, value: b}]`,
		},
		"an element with one patches no element": {
			patch: `{metadata: {labels: {a: b}}, spec: {containers: [{<(image): "*web*", stdin: true}]}}`,
			want:  `[{op: add, path: /metadata/labels/a, value: b}]`,
		},
	})
}
