package audit

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine"
)

const owned3 = `
metadata:
  creationTimestamp: "2026-11-30T12:00:00Z"
  labels: {app: shop}
  annotations: {example.com/note: hello}
  managedFields:
  - manager: kubectl
    operation: Update
    time: "2026-11-30T12:00:00Z"
    fieldsV1:
      f:metadata: {f:labels: {".": {}, f:app: {}}, f:annotations: {f:example.com/note: {}}}
      f:spec:
        f:nodeSelector: {}
        f:finalizers: {'v:"a"': {}}
        f:containers:
          k:{"name":"web"}:
            .: {}
            f:name: {}
            f:image: {}
            f:ports: {'k:{"containerPort":80,"protocol":"TCP"}': {.: {}, f:containerPort: {}, f:protocol: {}}}
  - manager: sidecar-injector
    operation: Update
    time: "2026-11-30T12:05:00Z"
    fieldsV1:
      f:spec: {f:containers: {'k:{"name":"proxy"}': {.: {}, f:image: {}}}}
  - manager: autoscaler
    operation: Update
    subresource: scale
    time: "2026-11-30T12:10:00Z"
    fieldsV1: {f:spec: {f:replicas: {}}}
  - manager: kubelet
    operation: Update
    subresource: status
    time: "2026-11-30T13:00:00Z"
    fieldsV1: {f:status: {f:phase: {}}}
spec:
  replicas: 3
  nodeSelector: {disk: ssd}
  finalizers: [a, b]
  containers:
  - {name: web, image: "shop:1", ports: [{containerPort: 80, protocol: TCP}]}
  - {name: proxy, image: "proxy:1"}
status: {phase: Running}
`

func TestOwnersOfAPath(t *testing.T) {
	var object map[string]any
	if err := yaml.Unmarshal([]byte(owned3), &object); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		path  string
		want  string
		whole bool
	}{
		"a field":                                {"/metadata/labels/app/", "kubectl", true},
		"a field of an item":                     {"/spec/containers/1/image/", "sidecar-injector", true},
		"the same of another item":               {"/spec/containers/0/image", "kubectl", true},
		"an item of a list in an item":           {"/spec/containers/0/ports/0/containerPort/", "kubectl", true},
		"a key with a slash as patterns have it": {"/metadata/annotations/example.com/note/", "kubectl", true},
		"a key with a slash as patches have it":  {"/metadata/annotations/example.com~1note", "kubectl", true},
		"below what is owned as one":             {"/spec/nodeSelector/disk/", "kubectl", true},
		"an item of a set":                       {"/spec/finalizers/0/", "kubectl", true},
		"an item of a set that nobody owns":      {"/spec/finalizers/1/", "kubectl", false},
		"what a subresource has written":         {"/spec/replicas/", "autoscaler", true},
		"the status":                             {"/status/phase/", "kubelet", true},
		"a field that is missing":                {"/metadata/labels/team/", "kubectl", false},
		"a field that is missing in an item":     {"/spec/containers/1/securityContext/", "sidecar-injector", false},
		"no path":                                {"", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			of, newest := owners(object, test.path)
			if of.manager != test.want || of.whole != test.whole {
				t.Errorf("it is of %q, whole: %v, want %q, %v", of.manager, of.whole, test.want, test.whole)
			}
			if newest.manager != "autoscaler" {
				t.Errorf("the newest is of %q, want autoscaler", newest.manager)
			}
			if of.manager == "kubectl" && of.operation != engine.Create {
				t.Errorf("the operation was %q", of.operation)
			}
		})
	}
	if of, newest := owners(map[string]any{}, "/metadata/labels/"); of.manager != "" || newest.manager != "" {
		t.Errorf("an object without managedFields is of %v and %v", of, newest)
	}
}
