package bundle

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-io/holdfast/bundle/pack"
)

type groupKind struct{ group, kind string }

func allKinds() []groupKind {
	var out []groupKind
	for _, group := range []string{Group, PoliciesGroup} {
		for _, kind := range builtKinds(group) {
			out = append(out, groupKind{group, kind})
		}
	}
	return out
}

// What is written in an older version is compiled as the newest: each field of it must be there, of a type that
// takes the same JSON.
func TestOlderVersionsLoseNothing(t *testing.T) {
	for _, k := range allKinds() {
		kind, versions := k.kind, versionsOf(k.group, k.kind)
		for _, v := range versions[1:] {
			var lost []string
			compareShapes(kind+" "+v.name, v.shape, versions[0].shape, map[reflect.Type]bool{}, &lost)
			if len(lost) > 0 {
				t.Errorf("%s", strings.Join(lost, "\n"))
			}
		}
	}
}

func compareShapes(path string, from, to reflect.Type, seen map[reflect.Type]bool, lost *[]string) {
	from, to = plainShape(from), plainShape(to)
	if from == to || from.Kind() == reflect.Interface || seen[from] {
		return
	}
	seen[from] = true
	if from.Kind() != to.Kind() {
		*lost = append(*lost, path+": "+from.String()+" became "+to.String())
		return
	}
	switch from.Kind() {
	case reflect.Slice, reflect.Map:
		compareShapes(path+"[]", from.Elem(), to.Elem(), seen, lost)
	case reflect.Struct:
		a, b := map[string]reflect.Type{}, map[string]reflect.Type{}
		jsonFields(from, a)
		jsonFields(to, b)
		for _, name := range sortedKeys(a) {
			if name == "status" { // taken out before: it is the cluster's
				continue
			}
			if b[name] == nil {
				*lost = append(*lost, path+"."+name+": is lost")
				continue
			}
			compareShapes(path+"."+name, a[name], b[name], seen, lost)
		}
	}
}

// plainShape is the type as JSON has it, for those that decode themselves.
func plainShape(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if strings.HasSuffix(t.String(), ".Any") {
		return reflect.TypeFor[any]()
	}
	return wrapped(t)
}

func TestEveryKindLoadsInEachVersion(t *testing.T) {
	const match = "match: {any: [{resources: {kinds: [Pod]}}]}"
	const validating = "{matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}, validations: [{expression: 'true'}]}"
	const mutating = "{matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}, mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{}'}}]}"
	const generating = "{matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}, generate: [{template: {value: '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}'}}]}"
	const deleting = "{schedule: '@daily', matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [pods]}]}}"
	specs := map[groupKind]string{
		{Group, clusterPolicy}:                      "{rules: [{name: r, " + match + ", preconditions: {all: [{key: a, operator: Equals, value: a}]}, validate: {deny: {conditions: {any: [{key: a, operator: AnyIn, value: [b]}]}}}}]}",
		{Group, policy}:                             "{rules: [{name: r, " + match + ", validate: {pattern: {spec: {x: y}}}}]}",
		{Group, policyException}:                    "{exceptions: [{policyName: p, ruleNames: [r]}], " + match + ", conditions: {any: [{key: a, operator: Equals, value: a}]}}",
		{Group, clusterCleanupPolicy}:               "{schedule: '@daily', " + match + ", conditions: {any: [{key: a, operator: Equals, value: a}]}}",
		{Group, cleanupPolicy}:                      "{schedule: '@daily', " + match + "}",
		{Group, globalContextEntry}:                 "{apiCall: {urlPath: /api, refreshInterval: 1m}}",
		{PoliciesGroup, validatingPolicy}:           validating,
		{PoliciesGroup, namespacedValidatingPolicy}: validating,
		{PoliciesGroup, policyException}:            "{policyRefs: [{name: p, kind: ValidatingPolicy}], matchConditions: [{name: c, expression: 'true'}], expiresAt: 2027-05-01T00:00:00Z}",
		{PoliciesGroup, mutatingPolicy}:             mutating,
		{PoliciesGroup, namespacedMutatingPolicy}:   mutating,
		{PoliciesGroup, generatingPolicy}:           generating,
		{PoliciesGroup, namespacedGeneratingPolicy}: generating,
		{PoliciesGroup, deletingPolicy}:             deleting,
		{PoliciesGroup, namespacedDeletingPolicy}:   deleting,
	}
	for _, k := range allKinds() {
		kind, digests := k.kind, map[string]string{}
		for _, v := range versionsOf(k.group, kind) {
			text := "apiVersion: " + k.group + "/" + v.name + "\nkind: " + kind + "\nmetadata: {name: x, uid: abc, resourceVersion: '7'"
			if !clusterScoped(kind) {
				text += ", namespace: ns"
			}
			text += "}\nspec: " + specs[k] + "\nstatus: {whatever: true}\n"
			s, sum, err := Load(context.Background(), Sources{FS: fstest.MapFS{"p.yaml": {Data: []byte(text)}}})
			if err != nil {
				t.Errorf("%v in:\n%s", err, text)
				continue
			}
			loaded := slices.Concat(sum.Policies, sum.Exceptions, sum.GlobalContexts)
			want := kind + "/ns/x"
			if k == (groupKind{PoliciesGroup, policyException}) {
				want = kind + "." + PoliciesGroup + "/ns/x"
			}
			if clusterScoped(kind) {
				want = kind + "/x"
			}
			if len(loaded) != 1 || loaded[0].Key() != want || loaded[0].Digest() == "" {
				t.Errorf("%s: got %+v", want, loaded)
				continue
			}
			if n := len(s.Policies()) + len(s.Exceptions()) + len(s.GlobalContexts()); n != 1 {
				t.Errorf("%s: the snapshot holds %d", want, n)
			}
			digests[loaded[0].Digest()] = v.name
		}
		if len(digests) != 1 {
			t.Errorf("%s: the versions have the digests %v", kind, digests)
		}
	}
}

func TestReaderReadsAll(t *testing.T) {
	r, err := NewReader(pack.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	text := sound + "---\n" + plainException + "---\n" + plainEntry + "---\napiVersion: v1\nkind: Namespace\n"
	all, refused, err := r.ReadAll("p.yaml", []byte(text))
	if err != nil || refused != nil {
		t.Fatal(err, refused)
	}
	var keys []string
	for i := range all {
		keys = append(keys, all[i].Key())
	}
	if want := []string{"ClusterPolicy/sound", "PolicyException/ns/x", "GlobalContextEntry/pods"}; !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
	policies, _, err := r.Read("p.yaml", []byte(text))
	if err != nil || len(policies) != 1 || policies[0].Policy == nil {
		t.Errorf("the policies are %+v, %v", policies, err)
	}
}
