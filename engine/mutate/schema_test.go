package mutate

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// at follows a path such as spec.containers[].env from a kind.
func (s *Schema) at(gvk schema.GroupVersionKind, path string) *shape {
	sh := s.lookup(gvk)
	for step := range strings.SplitSeq(path, ".") {
		name, isList := strings.CutSuffix(step, "[]")
		sh = sh.field(name)
		if isList {
			sh = sh.element()
		}
	}
	return sh
}

func TestSchemaKnowsTheKeysOfLists(t *testing.T) {
	s := newSchema(t)
	const template = "spec.template.spec."
	for name, c := range map[string]struct {
		kind schema.GroupVersionKind
		path string
		want string // the keys, "set" or "replaced"
	}{
		"containers":               {kindOfCore("Pod"), "spec.containers", "name"},
		"init containers":          {kindOfCore("Pod"), "spec.initContainers", "name"},
		"ephemeral containers":     {kindOfCore("Pod"), "spec.ephemeralContainers", "name"},
		"env":                      {kindOfCore("Pod"), "spec.containers[].env", "name"},
		"envFrom":                  {kindOfCore("Pod"), "spec.containers[].envFrom", "replaced"},
		"args":                     {kindOfCore("Pod"), "spec.containers[].args", "replaced"},
		"ports of a container":     {kindOfCore("Pod"), "spec.containers[].ports", "containerPort protocol"},
		"volume mounts":            {kindOfCore("Pod"), "spec.initContainers[].volumeMounts", "mountPath"},
		"volume devices":           {kindOfCore("Pod"), "spec.containers[].volumeDevices", "devicePath"},
		"dropped capabilities":     {kindOfCore("Pod"), "spec.containers[].securityContext.capabilities.drop", "replaced"},
		"volumes":                  {kindOfCore("Pod"), "spec.volumes", "name"},
		"pull secrets":             {kindOfCore("Pod"), "spec.imagePullSecrets", "name"},
		"tolerations":              {kindOfCore("Pod"), "spec.tolerations", "replaced"},
		"host aliases":             {kindOfCore("Pod"), "spec.hostAliases", "ip"},
		"scheduling gates":         {kindOfCore("Pod"), "spec.schedulingGates", "name"},
		"resource claims":          {kindOfCore("Pod"), "spec.resourceClaims", "name"},
		"spread constraints":       {kindOfCore("Pod"), "spec.topologySpreadConstraints", "topologyKey whenUnsatisfiable"},
		"conditions":               {kindOfCore("Pod"), "status.conditions", "type"},
		"finalizers":               {kindOfCore("Pod"), "metadata.finalizers", "set"},
		"owners":                   {kindOfCore("Namespace"), "metadata.ownerReferences", "uid"},
		"ports of a service":       {kindOfCore("Service"), "spec.ports", "port protocol"},
		"secrets of an account":    {kindOfCore("ServiceAccount"), "secrets", "name"},
		"a deployment's":           {kindOfGroup("apps", "v1", "Deployment"), template + "containers[].env", "name"},
		"a stateful set's":         {kindOfGroup("apps", "v1", "StatefulSet"), template + "volumes", "name"},
		"claims of a stateful set": {kindOfGroup("apps", "v1", "StatefulSet"), "spec.volumeClaimTemplates", "replaced"},
		"a daemon set's":           {kindOfGroup("apps", "v1", "DaemonSet"), template + "containers", "name"},
		"an old deployment's":      {kindOfGroup("apps", "v1beta2", "Deployment"), template + "containers", "name"},
		"a job's":                  {kindOfGroup("batch", "v1", "Job"), template + "containers", "name"},
		"a cron job's":             {kindOfGroup("batch", "v1", "CronJob"), "spec.jobTemplate." + template + "containers[].ports", "containerPort protocol"},
		"rules of an ingress":      {kindOfGroup("networking.k8s.io", "v1", "Ingress"), "spec.rules", "replaced"},
		"rules of a role":          {kindOfGroup("rbac.authorization.k8s.io", "v1", "Role"), "rules", "replaced"},
		"subjects of a binding":    {kindOfGroup("rbac.authorization.k8s.io", "v1", "RoleBinding"), "subjects", "replaced"},
		"webhooks":                 {kindOfGroup("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"), "webhooks", "name"},
		"egress of a policy":       {kindOfGroup("networking.k8s.io", "v1", "NetworkPolicy"), "spec.egress", "replaced"},
		"an API service's":         {kindOfGroup("apiregistration.k8s.io", "v1", "APIService"), "metadata.finalizers", "set"},
		"a custom kind's":          {kindOfGroup("example.com", "v1", "Flow"), "metadata.finalizers", "replaced"},
		"a field that is none":     {kindOfCore("Pod"), "spec.nonsense", "replaced"},
		"a field of a list":        {kindOfCore("Pod"), "spec.containers.name", "replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			sh := s.at(c.kind, c.path)
			got := "replaced"
			if sh.mergeable() {
				got = "set"
				var keys []string
				for _, k := range sh.keys {
					keys = append(keys, k.name)
				}
				if len(keys) > 0 {
					got = strings.Join(keys, " ")
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func kindOfCore(kind string) schema.GroupVersionKind { return kindOfGroup("", "v1", kind) }

func kindOfGroup(group, version, kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
}

func BenchmarkNewSchema(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewSchema(); err != nil {
			b.Fatal(err)
		}
	}
}
