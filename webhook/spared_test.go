package webhook

import (
	"encoding/json"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
)

// sends tells by the API server's own code whether an entry with these conditions is asked about a request; an error is what
// refuses the request where nobody is asked.
func sends(t *testing.T, conditions []admissionregistrationv1.MatchCondition, policy admissionregistrationv1.FailurePolicyType, r *request) (bool, error) {
	t.Helper()
	expressions := make([]cel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		condition := matchconditions.MatchCondition(conditions[i])
		expressions[i] = &condition
	}
	// As the oldest API server would that knows matchConditions.
	compiler := cel.NewConditionCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, 28)))
	compiled := compiler.CompileCondition(expressions, cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
	kind := schema.GroupVersionKind(r.Kind)
	object := func(raw asSent) runtime.Object {
		if raw == "" {
			return nil
		}
		o := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(raw), &o.Object); err != nil {
			t.Fatal(err)
		}
		return o
	}
	attributes := &admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(object(r.Object), object(r.OldObject), kind, r.Namespace, r.Name,
			schema.GroupVersionResource(r.Resource), r.SubResource, admission.Operation(r.Operation), nil, false,
			&user.DefaultInfo{Name: r.UserInfo.Username, Groups: r.UserInfo.Groups}),
		VersionedKind: kind, VersionedObject: object(r.Object), VersionedOldObject: object(r.OldObject),
	}
	result := matchconditions.NewMatcher(compiled, &policy, "webhook", "validate", "test").Match(t.Context(), attributes, nil, nil)
	return result.Matches, result.Error
}

// requestOf reads the request of a review as the handler does.
func requestOf(t *testing.T, f obj) *request {
	t.Helper()
	r, err := decodeReview(reviewOf(f))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ofEverything is what an entry of a policy on all kinds asks for.
func ofEverything() places {
	all := setOf(operationOrder[:])
	return places{place{group: "*", version: "*", resource: "*/*", scope: admissionregistrationv1.AllScopes}: all}
}

func as(name string, groups ...string) obj { return obj{"username": name, "groups": groups} }

func TestWhatIsSpared(t *testing.T) {
	glass := BreakGlass{Users: []string{"ana", `o'neill "the" \ é`}, Groups: []string{"oncall"}}
	lease := func(f obj) obj {
		f["kind"] = obj{"group": "coordination.k8s.io", "version": "v1", "kind": "Lease"}
		f["resource"] = obj{"group": "coordination.k8s.io", "version": "v1", "resource": "leases"}
		return f
	}
	node := func(f obj) obj {
		f["kind"] = obj{"group": "", "version": "v1", "kind": "Node"}
		f["resource"] = obj{"group": "", "version": "v1", "resource": "nodes"}
		f["namespace"] = ""
		return f
	}
	for name, test := range map[string]struct {
		request obj
		spared  bool
		// selected says that it is the namespaceSelector that spares it.
		selected bool
	}{
		"a Pod of anybody":                            {request: obj{}},
		"a user who breaks the glass":                 {request: obj{"userInfo": as("ana", "system:authenticated")}, spared: true},
		"a user with a name that has to be quoted":    {request: obj{"userInfo": as(`o'neill "the" \ é`)}, spared: true},
		"a group that breaks the glass":               {request: obj{"userInfo": as("bob", "system:authenticated", "oncall")}, spared: true},
		"a user with the name of the group":           {request: obj{"userInfo": as("oncall")}},
		"a user without groups":                       {request: obj{"userInfo": obj{"username": "bob"}}},
		"a Pod of ours":                               {request: obj{"namespace": "holdfast"}, spared: true, selected: true},
		"our namespace":                               {request: obj{"kind": obj{"version": "v1", "kind": "Namespace"}, "resource": obj{"version": "v1", "resource": "namespaces"}, "name": "holdfast", "namespace": "holdfast"}, spared: true, selected: true},
		"another namespace":                           {request: obj{"kind": obj{"version": "v1", "kind": "Namespace"}, "resource": obj{"version": "v1", "resource": "namespaces"}, "name": "holdfast-2", "namespace": "holdfast-2"}},
		"a heartbeat by lease":                        {request: lease(obj{"namespace": "kube-node-lease", "operation": "UPDATE"}), spared: true, selected: true},
		"a lease of kube-system":                      {request: lease(obj{"namespace": "kube-system", "operation": "UPDATE"}), spared: true},
		"a new lease of kube-system":                  {request: lease(obj{"namespace": "kube-system"}), spared: true},
		"a lease of somebody else":                    {request: lease(obj{"namespace": "default"})},
		"something else of kube-system":               {request: obj{"namespace": "kube-system"}},
		"leases of another group in kube-system":      {request: obj{"namespace": "kube-system", "resource": obj{"group": "cars.example", "version": "v1", "resource": "leases"}}},
		"a heartbeat by status":                       {request: node(obj{"operation": "UPDATE", "subResource": "status", "userInfo": as("system:node:a", "system:nodes")}), spared: true},
		"a kubelet that registers its node":           {request: node(obj{"userInfo": as("system:node:a", "system:nodes")}), spared: true},
		"a kubelet that labels its node":              {request: node(obj{"operation": "UPDATE", "userInfo": as("system:node:a", "system:nodes")}), spared: true},
		"a kubelet that deletes its node":             {request: node(obj{"operation": "DELETE", "userInfo": as("system:node:a", "system:nodes")})},
		"a kubelet that asks for a proxy to its node": {request: node(obj{"operation": "CONNECT", "subResource": "proxy", "userInfo": as("system:node:a", "system:nodes")})},
		"the node controller's taints":                {request: node(obj{"operation": "UPDATE", "userInfo": as("system:serviceaccount:kube-system:node-controller", "system:serviceaccounts")}), spared: true},
		"the manager's taints":                        {request: node(obj{"operation": "UPDATE", "userInfo": as("system:kube-controller-manager")}), spared: true},
		"an administrator who labels a node":          {request: node(obj{"operation": "UPDATE", "userInfo": as("root", "system:masters")})},
		"a kubelet that makes a Pod":                  {request: obj{"userInfo": as("system:node:a", "system:nodes")}},
	} {
		t.Run(name, func(t *testing.T) {
			spare := Spared{Namespaces: []string{"holdfast"}, BreakGlass: glass}
			r := requestOf(t, test.request)
			h := newDoor(t, requireTeam, func(o *Options) { o.Spared = spare })
			if got := h.spares(r); got != test.spared {
				t.Errorf("the handler spares it: %t, want %t", got, test.spared)
			}
			reaches, err := sends(t, spare.conditions(ofEverything()), admissionregistrationv1.Fail, r)
			if err != nil {
				t.Errorf("the conditions cannot be told: %v", err)
			}
			if want := !test.spared || test.selected; reaches != want {
				t.Errorf("the API server asks: %t, want %t", reaches, want)
			}
			if test.selected != slices.Contains(spare.namespaces(), r.Namespace) {
				t.Errorf("the selector leaves %q out: %t", r.Namespace, !test.selected)
			}
		})
	}
}

// What comes all the same is let pass undecoded, and counted.
func TestWhatIsSparedIsNotExamined(t *testing.T) {
	d := newDoor(t, requireTeam, func(o *Options) { o.Spared.BreakGlass.Users = []string{"ana"} })
	const path = "/validate/fail-10s"
	if resp := d.ask(t, path, reviewOf(obj{})); resp.Allowed {
		t.Fatal("nothing is refused")
	}
	if resp := d.ask(t, path, reviewOf(obj{"userInfo": as("ana"), "object": []int{1}})); !resp.Allowed || len(resp.Warnings) > 0 {
		t.Errorf("got %v", resp)
	}
	if got := d.metric(t, "holdfast_admission_requests_total{decision=spared,kind=other,operation=CREATE,webhook=validate}"); got != 1 {
		t.Errorf("counted %v times", got)
	}
	d.snapshots.Store(nil)
	if resp := d.ask(t, path, reviewOf(obj{"userInfo": as("ana")})); !resp.Allowed {
		t.Errorf("without policies: %v", resp.Result)
	}
}

// Entries that cannot be asked about a lifeline have no condition for it, which would cost each request something.
func TestConditionsComeWhereTheyMatter(t *testing.T) {
	for name, test := range map[string]struct {
		place  place
		spared Spared
		want   []string
	}{
		"Pods":                    {place{version: "v1", resource: "pods", scope: admissionregistrationv1.NamespacedScope}, Spared{}, nil},
		"Pods, with glass":        {place{version: "v1", resource: "pods", scope: admissionregistrationv1.NamespacedScope}, Spared{BreakGlass: BreakGlass{Groups: []string{"a"}}}, []string{"nobody-who-breaks-the-glass"}},
		"leases of some version":  {place{group: "coordination.k8s.io", version: "v1beta1", resource: "leases", scope: admissionregistrationv1.NamespacedScope}, Spared{}, []string{"leases-of-kube-system"}},
		"nodes":                   {place{version: "v1", resource: "nodes", scope: admissionregistrationv1.ClusterScope}, Spared{}, []string{"nodes-that-come-back"}},
		"the status of nodes":     {place{version: "v1", resource: "nodes/status", scope: admissionregistrationv1.ClusterScope}, Spared{}, []string{"nodes-that-come-back"}},
		"the proxies of nodes":    {place{version: "v1", resource: "nodes/proxy", scope: admissionregistrationv1.ClusterScope}, Spared{}, nil},
		"all kinds":               {place{group: "*", version: "*", resource: "*", scope: admissionregistrationv1.AllScopes}, Spared{}, []string{"leases-of-kube-system", "nodes-that-come-back"}},
		"all kinds in namespaces": {place{group: "*", version: "*", resource: "*", scope: admissionregistrationv1.NamespacedScope}, Spared{}, []string{"leases-of-kube-system"}},
		"every status":            {place{group: "*", version: "*", resource: "*/status", scope: admissionregistrationv1.AllScopes}, Spared{}, []string{"nodes-that-come-back"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range test.spared.conditions(places{test.place: setOf(operationOrder[:])}) {
				got = append(got, c.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("conditions %v, want %v", got, test.want)
			}
		})
	}
}
