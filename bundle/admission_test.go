package bundle

import (
	"context"
	"reflect"
	"testing"
	"testing/fstest"
)

func TestThePoliciesOfAnAPIServerLoadInEachVersion(t *testing.T) {
	const constraints = "matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}"
	specs := map[string]string{
		validatingAdmissionPolicy:        "{" + constraints + ", validations: [{expression: 'true'}]}",
		validatingAdmissionPolicyBinding: "{policyName: x, validationActions: [Deny]}",
		mutatingAdmissionPolicy:          "{" + constraints + ", reinvocationPolicy: Never, mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"remove\", path: \"/a\"}]'}}]}",
		mutatingAdmissionPolicyBinding:   "{policyName: x}",
	}
	for _, kind := range admissionKinds() {
		if specs[kind] == "" {
			t.Errorf("%s is not tried", kind)
		}
		for _, v := range versionsOf(AdmissionGroup, kind) {
			text := "apiVersion: " + AdmissionGroup + "/" + v.name + "\nkind: " + kind + "\nmetadata: {name: x, uid: abc}\nspec: " + specs[kind] + "\n"
			_, sum, err := Load(context.Background(), Sources{FS: fstest.MapFS{"p.yaml": {Data: []byte(text)}}})
			if err != nil {
				t.Errorf("%s %s: %v", v.name, kind, err)
				continue
			}
			if got := len(sum.Policies) + len(sum.Bindings); got != 1 {
				t.Errorf("%s %s: %d policies and bindings were loaded", v.name, kind, got)
			}
		}
	}
}

// What is written in an older version is compiled as the newest.
func TestOlderVersionsOfAnAPIServersPoliciesLoseNothing(t *testing.T) {
	for _, kind := range admissionKinds() {
		versions := versionsOf(AdmissionGroup, kind)
		for _, v := range versions[1:] {
			var lost []string
			compareShapes(kind+" "+v.name, v.shape, versions[0].shape, map[reflect.Type]bool{}, &lost)
			for _, l := range lost {
				t.Error(l)
			}
		}
	}
}
