package mutate

import (
	"reflect"
	"testing"
)

const pod = `
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web, tier: front}
spec:
  restartPolicy: Always
  containers:
  - name: main
    image: registry.example/web:1.4
    imagePullPolicy: Always
    ports:
    - {containerPort: 8080, protocol: TCP}
    - {containerPort: 8080, protocol: UDP}
    env:
    - {name: MODE, value: fast}
    - {name: LEVEL, value: "3"}
  - name: proxy
    image: registry.example/proxy:latest
  volumes:
  - {name: scratch, emptyDir: {}}
  tolerations:
  - {key: spot, operator: Exists}
`

// strategicCase is a patch on an object. want is empty when the object is to stay as it is.
type strategicCase struct {
	object  string // pod if empty
	patch   string
	outcome Outcome
	want    string // what Diff finds between the object and the result, as YAML
	message string
	err     string
}

func (c strategicCase) run(t *testing.T, s *Schema) {
	t.Helper()
	source := c.object
	if source == "" {
		source = pod
	}
	obj := object(t, source)
	p, err := CompileStrategic(value(t, c.patch), Options{Schema: s})
	if err != nil {
		t.Fatal(err)
	}
	res := run(t, p, nil, obj)
	if res.Outcome != c.outcome || res.Message != c.message || errorText(res.Err) != c.err {
		t.Fatalf("got %s, message %q, error %q\nwant %s, message %q, error %q",
			res.Outcome, res.Message, errorText(res.Err), c.outcome, c.message, c.err)
	}
	checkChanges(t, obj, res.Object, c.want)
}

func runStrategic(t *testing.T, cases map[string]strategicCase) {
	t.Helper()
	s := newSchema(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { c.run(t, s) })
	}
}

func TestMerge(t *testing.T) {
	runStrategic(t, map[string]strategicCase{
		"an object is merged field by field": {
			patch: `{metadata: {labels: {tier: back, zone: a}}}`,
			want: `
- {op: replace, path: /metadata/labels/tier, value: back}
- {op: add, path: /metadata/labels/zone, value: a}`,
		},
		"parents that are missing are made": {
			patch: `{metadata: {annotations: {note: x}}}`,
			want:  `[{op: add, path: /metadata/annotations, value: {note: x}}]`,
		},
		"a patch that says what is there changes nothing": {
			patch:   `{metadata: {labels: {app: web}}, spec: {containers: [{name: proxy, image: "registry.example/proxy:latest"}]}}`,
			outcome: Unchanged,
		},
		"an empty patch changes nothing": {patch: `{}`, outcome: Unchanged},
		"null removes a field": {
			patch: `{metadata: {labels: {tier: null}}, spec: {tolerations: null}}`,
			want: `
- {op: remove, path: /metadata/labels/tier}
- {op: remove, path: /spec/tolerations}`,
		},
		"null for a field that is missing does nothing": {patch: `{spec: {hostNetwork: null}}`, outcome: Unchanged},
		"null empties an object and leaves it": {
			patch: `{metadata: {labels: {app: null, tier: null}}}`,
			want:  `[{op: remove, path: /metadata/labels/app}, {op: remove, path: /metadata/labels/tier}]`,
		},
		"nulls of an object that is added are left out": {
			patch: `{spec: {securityContext: {runAsUser: null, runAsNonRoot: true}}}`,
			want:  `[{op: add, path: /spec/securityContext, value: {runAsNonRoot: true}}]`,
		},
		"nulls in a list that is taken whole stay": {
			patch: `{spec: {readinessGates: [{conditionType: null}]}}`,
			want:  `[{op: add, path: /spec/readinessGates, value: [{conditionType: null}]}]`,
		},
		"an empty object that is written out is added": {
			patch: `{spec: {securityContext: {}}}`,
			want:  `[{op: add, path: /spec/securityContext, value: {}}]`,
		},
		"a null in the object is overwritten by an object": {
			object: `{apiVersion: v1, kind: Pod, spec: {securityContext: null}}`,
			patch:  `{spec: {securityContext: {runAsNonRoot: true}}}`,
			want:   `[{op: replace, path: /spec/securityContext, value: {runAsNonRoot: true}}]`,
		},
		"a null in the object is removed by null": {
			object: `{apiVersion: v1, kind: Pod, spec: {securityContext: null}}`,
			patch:  `{spec: {securityContext: null}}`,
			want:   `[{op: remove, path: /spec/securityContext}]`,
		},
		"a null in the object that the patch does not name stays": {
			object: `{apiVersion: v1, kind: Pod, metadata: {creationTimestamp: null}}`,
			patch:  `{metadata: {labels: {a: b}}}`,
			want:   `[{op: add, path: /metadata/labels, value: {a: b}}]`,
		},
		"a number takes the place of a text as a number": {
			object: `{apiVersion: v1, kind: Service, spec: {ports: [{port: 80, targetPort: http}]}}`,
			patch:  `{spec: {ports: [{port: 80, targetPort: 8080}]}}`,
			want:   `[{op: replace, path: /spec/ports/0/targetPort, value: 8080}]`,
		},
		"keys that YAML 1.1 takes for booleans stay keys": {
			object: `{apiVersion: v1, kind: ConfigMap, data: {"y": "no"}}`,
			patch:  `{data: {"y": "yes", "on": "off"}}`,
			want:   `[{op: add, path: /data/on, value: "off"}, {op: replace, path: /data/y, value: "yes"}]`,
		},
		"an object cannot take the place of a list": {
			patch: `{spec: {containers: {name: main}}}`, outcome: Error,
			err: "applying the patch: spec.containers: the patch has an object where the object has a list",
		},
		"a list cannot take the place of an object": {
			patch: `{metadata: {labels: [a]}}`, outcome: Error,
			err: "applying the patch: metadata.labels: the patch has a list where the object has an object",
		},
		"a scalar cannot take the place of an object": {
			patch: `{metadata: {labels: 5}}`, outcome: Error,
			err: "applying the patch: metadata.labels: the patch has a number where the object has an object",
		},
		"an object cannot take the place of a scalar": {
			patch: `{spec: {containers: [{name: proxy, image: {a: b}}]}}`, outcome: Error,
			err: "applying the patch: spec.containers[0].image: the patch has an object where the object has a string",
		},
		"of two errors the first in key order is told": {
			patch: `{spec: {volumes: {a: b}, restartPolicy: [x], containers: {a: b}}, metadata: {labels: {app: "web", zone: x}, name: [y]}}`, outcome: Error,
			err: "applying the patch: metadata.name: the patch has a list where the object has a string",
		},
	})
}

func TestMergeLists(t *testing.T) {
	runStrategic(t, map[string]strategicCase{
		"elements are told apart by their key and stay in their place": {
			patch: `{spec: {containers: [{name: proxy, imagePullPolicy: Never}]}}`,
			want:  `[{op: add, path: /spec/containers/1/imagePullPolicy, value: Never}]`,
		},
		"new elements come first, in the patch's order": {
			patch: `{spec: {containers: [{name: init, image: i}, {name: main, stdin: true}, {name: log, image: l}]}}`,
			want: `
- {op: add, path: /spec/containers/0, value: {name: init, image: i}}
- {op: add, path: /spec/containers/1, value: {name: log, image: l}}
- {op: add, path: /spec/containers/2/stdin, value: true}`,
		},
		"lists inside of elements are merged too": {
			patch: `{spec: {containers: [{name: main, env: [{name: LEVEL, value: "4"}, {name: NEW, value: x}]}]}}`,
			want: `
- {op: add, path: /spec/containers/0/env/0, value: {name: NEW, value: x}}
- {op: replace, path: /spec/containers/0/env/2/value, value: "4"}`,
		},
		"env turns from a value to a reference by null": {
			patch: `{spec: {containers: [{name: main, env: [{name: MODE, value: null, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}]}}`,
			want: `
- {op: remove, path: /spec/containers/0/env/0/value}
- {op: add, path: /spec/containers/0/env/0/valueFrom, value: {fieldRef: {fieldPath: spec.nodeName}}}`,
		},
		"volume mounts go by their path": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, volumeMounts: [{name: v, mountPath: /x}, {name: v, mountPath: /y}]}]}}`,
			patch:  `{spec: {containers: [{name: a, volumeMounts: [{mountPath: /y, readOnly: true}]}]}}`,
			want:   `[{op: add, path: /spec/containers/0/volumeMounts/1/readOnly, value: true}]`,
		},
		"host aliases go by their address": {
			object: `{apiVersion: v1, kind: Pod, spec: {hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]}}`,
			patch:  `{spec: {hostAliases: [{ip: 10.0.0.1, hostnames: [b]}, {ip: 10.0.0.2, hostnames: [c]}]}}`,
			want: `
- {op: add, path: /spec/hostAliases/0, value: {ip: 10.0.0.2, hostnames: [c]}}
- {op: replace, path: /spec/hostAliases/1/hostnames/0, value: b}`,
		},
		"pull secrets go by their name": {
			object: `{apiVersion: v1, kind: Pod, spec: {imagePullSecrets: [{name: one}]}}`,
			patch:  `{spec: {imagePullSecrets: [{name: one}, {name: two}]}}`,
			want:   `[{op: add, path: /spec/imagePullSecrets/0, value: {name: two}}]`,
		},
		"ports go by number and protocol": {
			patch: `{spec: {containers: [{name: main, ports: [{containerPort: 8080, protocol: UDP, name: dns}]}]}}`,
			want:  `[{op: add, path: /spec/containers/0/ports/1/name, value: dns}]`,
		},
		"a port without a protocol is TCP, as the API server has it": {
			patch: `{spec: {containers: [{name: main, ports: [{containerPort: 8080, name: http}]}]}}`,
			want:  `[{op: add, path: /spec/containers/0/ports/0/name, value: http}]`,
		},
		"spread constraints go by both of their keys": {
			object: `{apiVersion: v1, kind: Pod, spec: {topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule, maxSkew: 1}]}}`,
			patch:  `{spec: {topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, maxSkew: 2}]}}`,
			want:   `[{op: add, path: /spec/topologySpreadConstraints/0, value: {topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, maxSkew: 2}}]`,
		},
		"a spread constraint that leaves out the second key means the first that fits": {
			object: `{apiVersion: v1, kind: Pod, spec: {topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule, maxSkew: 1}]}}`,
			patch:  `{spec: {topologySpreadConstraints: [{topologyKey: zone, maxSkew: 2}]}}`,
			want:   `[{op: replace, path: /spec/topologySpreadConstraints/0/maxSkew, value: 2}]`,
		},
		"tolerations have no key and are replaced": {
			patch: `{spec: {tolerations: [{key: gpu, operator: Exists}]}}`,
			want:  `[{op: replace, path: /spec/tolerations/0/key, value: gpu}]`,
		},
		"lists of scalars are replaced": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, args: [x, y]}]}}`,
			patch:  `{spec: {containers: [{name: a, args: [z]}]}}`,
			want:   `[{op: replace, path: /spec/containers/0/args/0, value: z}, {op: remove, path: /spec/containers/0/args/1}]`,
		},
		"a text in brackets in a list is a text": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a}]}}`,
			patch:  `{spec: {containers: [{name: a, args: ["(x)"]}]}}`,
			want:   `[{op: add, path: /spec/containers/0/args, value: ["(x)"]}]`,
		},
		"finalizers are a set": {
			object: `{apiVersion: v1, kind: Pod, metadata: {finalizers: [a, b]}}`,
			patch:  `{metadata: {finalizers: [b, c]}}`,
			want:   `[{op: add, path: /metadata/finalizers/0, value: c}]`,
		},
		"a set that has all of the patch's is left alone": {
			object:  `{apiVersion: v1, kind: Pod, metadata: {finalizers: [a, b]}}`,
			patch:   `{metadata: {finalizers: [b, a]}}`,
			outcome: Unchanged,
		},
		"a set takes scalars only": {
			object:  `{apiVersion: v1, kind: Pod, metadata: {finalizers: [a]}}`,
			patch:   `{metadata: {finalizers: [{a: b}]}}`,
			outcome: Error,
			err:     "applying the patch: metadata.finalizers[0]: the patch has an object in a set of scalars",
		},
		"owners go by their uid": {
			object: `{apiVersion: v1, kind: Pod, metadata: {ownerReferences: [{uid: u1, name: n}]}}`,
			patch:  `{metadata: {ownerReferences: [{uid: u1, controller: true}]}}`,
			want:   `[{op: add, path: /metadata/ownerReferences/0/controller, value: true}]`,
		},
		"pod templates of controllers have the same keys": {
			object: `{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a}, {name: b}]}}}}}}`,
			patch:  `{spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: b, image: i}]}}}}}}`,
			want:   `[{op: add, path: /spec/jobTemplate/spec/template/spec/containers/1/image, value: i}]`,
		},
		"lists of a custom kind are replaced": {
			object: `{apiVersion: example.com/v1, kind: Flow, metadata: {finalizers: [a]}, spec: {steps: [{name: one, run: x}, {name: two}]}}`,
			patch:  `{metadata: {finalizers: [b]}, spec: {steps: [{name: two, run: "z"}]}}`,
			want: `
- {op: replace, path: /metadata/finalizers/0, value: b}
- {op: remove, path: /spec/steps/0}
- {op: add, path: /spec/steps/0/run, value: "z"}`,
		},
		"a known object inside a custom kind has its keys": {
			object: `{apiVersion: example.com/v1, kind: Flow, spec: {template: {apiVersion: v1, kind: Pod, spec: {containers: [{name: a}, {name: b}]}}}}`,
			patch:  `{spec: {template: {spec: {containers: [{name: b, image: i}]}}}}`,
			want:   `[{op: add, path: /spec/template/spec/containers/1/image, value: i}]`,
		},
		"finalizers of a custom resource definition are a set": {
			object: `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {finalizers: [a]}}`,
			patch:  `{metadata: {finalizers: [b]}}`,
			want:   `[{op: add, path: /metadata/finalizers/0, value: b}]`,
		},
		"an empty list clears no merged list": {patch: `{spec: {containers: []}}`, outcome: Unchanged},
		"an empty list clears a list that is replaced": {
			patch: `{spec: {tolerations: []}}`,
			want:  `[{op: remove, path: /spec/tolerations/0}]`,
		},
		"an element of the patch must have its key": {
			patch: `{spec: {containers: [{image: i}]}}`, outcome: Error,
			err: "applying the patch: spec.containers[0]: the element has no name, which says the element of the object that it is for",
		},
		"an element of the patch must be an object": {
			patch: `{spec: {containers: [main]}}`, outcome: Error,
			err: "applying the patch: spec.containers[0]: the patch has a string where the list has objects",
		},
		"an element of the object without its key is left alone": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{image: i}, x, {name: a}]}}`,
			patch:  `{spec: {containers: [{name: a, image: j}]}}`,
			want:   `[{op: add, path: /spec/containers/2/image, value: j}]`,
		},
		"of elements with the same key the first is meant": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: i}, {name: a, image: j}]}}`,
			patch:  `{spec: {containers: [{name: a, image: k}]}}`,
			want:   `[{op: replace, path: /spec/containers/0/image, value: k}]`,
		},
		"a patch may name an element twice": {
			object: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a}]}}`,
			patch:  `{spec: {containers: [{name: a, image: k}, {name: a, stdin: true}, {name: b, image: k}, {name: b, stdin: true}]}}`,
			want: `
- {op: add, path: /spec/containers/0, value: {name: b, image: k, stdin: true}}
- {op: add, path: /spec/containers/1/image, value: k}
- {op: add, path: /spec/containers/1/stdin, value: true}`,
		},
	})
}

func TestDirectives(t *testing.T) {
	runStrategic(t, map[string]strategicCase{
		"delete removes an element": {
			patch: `{spec: {containers: [{name: main, $patch: delete}]}}`,
			want:  `[{op: remove, path: /spec/containers/0}]`,
		},
		"delete of an element that is missing does nothing": {
			patch: `{spec: {containers: [{name: other, $patch: delete}]}}`, outcome: Unchanged,
		},
		"delete removes what an anchored element selects": {
			patch: `{spec: {containers: [{"(image)": "*:latest", $patch: delete}]}}`,
			want:  `[{op: remove, path: /spec/containers/1}]`,
		},
		"delete removes an object": {
			patch: `{metadata: {labels: {$patch: delete}}}`,
			want:  `[{op: remove, path: /metadata/labels}]`,
		},
		"delete removes a list": {
			patch: `{spec: {tolerations: [{$patch: delete}]}}`,
			want:  `[{op: remove, path: /spec/tolerations}]`,
		},
		"delete in what is added leaves it out": {
			patch: `{spec: {securityContext: {sysctls: {$patch: delete}, runAsNonRoot: true}}}`,
			want:  `[{op: add, path: /spec/securityContext, value: {runAsNonRoot: true}}]`,
		},
		"delete of all elements that would be added leaves an empty list": {
			patch: `{spec: {initContainers: [{name: x, $patch: delete}]}}`,
			want:  `[{op: add, path: /spec/initContainers, value: []}]`,
		},
		"replace puts an object in the place of another": {
			patch: `{metadata: {labels: {$patch: replace, only: this}}}`,
			want: `
- {op: remove, path: /metadata/labels/app}
- {op: add, path: /metadata/labels/only, value: this}
- {op: remove, path: /metadata/labels/tier}`,
		},
		"replace by what is there changes nothing": {
			patch: `{metadata: {labels: {$patch: replace, app: web, tier: front}}}`, outcome: Unchanged,
		},
		"replace puts an element in the place of another": {
			patch: `{spec: {containers: [{name: proxy, $patch: replace, image: other}]}}`,
			want:  `[{op: replace, path: /spec/containers/1/image, value: other}]`,
		},
		"replace puts a list in the place of another": {
			patch: `{spec: {containers: [{$patch: replace}, {name: proxy, image: other}]}}`,
			want: `
- {op: remove, path: /spec/containers/0}
- {op: replace, path: /spec/containers/0/image, value: other}`,
		},
		"replace of a list that is missing adds it": {
			patch: `{spec: {initContainers: [{$patch: replace}, {name: x}]}}`,
			want:  `[{op: add, path: /spec/initContainers, value: [{name: x}]}]`,
		},
		"merge says what holds anyway": {
			patch: `{$patch: merge, metadata: {$patch: merge, labels: {a: b}}, spec: {volumes: [{$patch: merge}, {name: w}]}}`,
			want: `
- {op: add, path: /metadata/labels/a, value: b}
- {op: add, path: /spec/volumes/0, value: {name: w}}`,
		},
		"an element of a list without keys cannot be deleted by its fields": {
			patch: `{spec: {tolerations: [{key: spot, $patch: delete}]}}`, outcome: Error,
			err: "applying the patch: spec.tolerations[0]: $patch cannot choose an element: the list has no merge key in this kind of object",
		},
		"nor can one that is added": {
			object:  `{apiVersion: example.com/v1, kind: Flow}`,
			patch:   `{spec: {steps: [{name: a, x: {$patch: replace}}]}}`,
			outcome: Error,
			err:     "applying the patch: spec.steps[0].x: $patch cannot choose an element: the list has no merge key in this kind of object",
		},
	})
}

func TestOutcomeNames(t *testing.T) {
	got := []string{Applied.String(), Unchanged.String(), Skip.String(), Error.String()}
	if want := []string{"applied", "unchanged", "skip", "error"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
