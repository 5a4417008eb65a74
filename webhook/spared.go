package webhook

import (
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// Spared is what is never intercepted, so that neither a policy nor a webhook that is dead can lock anybody out of a
// cluster. The API server is told of all of it and asks nothing; and what comes all the same is let pass unexamined.
// The audit looks at the objects as at any other.
//
// Beside what is said here, that is always so for the lifelines of a cluster: see lifelines.
type Spared struct {
	// Namespaces are Holdfast's own, without which it could not be repaired. What is in them is spared, and they are.
	Namespaces []string
	// BreakGlass are users.
	BreakGlass BreakGlass
}

// Validate names what cannot be spared.
func (s Spared) Validate() error { return s.BreakGlass.Validate() }

// nodeLeases is the namespace of the heartbeats of nodes, which wait for nobody.
const nodeLeases = "kube-node-lease"

// lifeline is a kind of write by which a cluster whose webhook is dead comes back to life.
type lifeline struct {
	// name is that of the match condition.
	name string
	// places are where its writes go: entries that are not asked about any of them need no condition.
	places []place
	// expression holds for all other writes.
	expression string
	// is tells the writes in Go.
	is func(*request) bool
}

// lifelines are two. Leases of kube-system: who leads among the controllers and schedulers, without whom no Pod comes
// back. And what is written about nodes by themselves and by the controller that judges their health: the heartbeat in
// the status; the creation, which a kubelet attempts at each start before it sends any heartbeat, and goes on attempting
// until the answer is other than a failure; and the taints, which keep Pods from a node that was lost until they are taken
// off. A Pod of the webhook may be waiting for each of these.
//
// Sources: pkg/kubelet/kubelet_node_status.go, pkg/controller/nodelifecycle and plugin/pkg/auth/authorizer/rbac/bootstrappolicy
// of k8s.io/kubernetes for who writes what; the node controller has the manager's name in clusters without
// --use-service-account-credentials.
func lifelines() [2]lifeline {
	const (
		leaders = "kube-system"
		kubelet = "system:nodes"
	)
	judges := []string{"system:kube-controller-manager", "system:serviceaccount:kube-system:node-controller"}
	return [...]lifeline{{
		name:   "leases-of-kube-system",
		places: []place{{group: "coordination.k8s.io", version: "v1", resource: "leases", scope: admissionregistrationv1.NamespacedScope}},
		expression: "!(request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases' && " +
			"has(request.namespace) && request.namespace == " + quote(leaders) + ")",
		is: func(r *request) bool {
			return r.Resource.Group == "coordination.k8s.io" && r.Resource.Resource == "leases" && r.Namespace == leaders
		},
	}, {
		name: "nodes-that-come-back",
		places: []place{
			{version: "v1", resource: "nodes", scope: admissionregistrationv1.ClusterScope},
			{version: "v1", resource: "nodes/status", scope: admissionregistrationv1.ClusterScope},
		},
		expression: "!(request.resource.group == '' && request.resource.resource == 'nodes' && " +
			"(!has(request.subResource) || request.subResource in ['', 'status']) && request.operation in ['CREATE', 'UPDATE'] && " +
			"(" + inGroups([]string{kubelet}) + " || request.userInfo.username in " + list(judges) + "))",
		is: func(r *request) bool {
			return r.Resource.Group == "" && r.Resource.Resource == "nodes" && (r.SubResource == "" || r.SubResource == "status") &&
				(r.Operation == engine.Create || r.Operation == engine.Update) &&
				(slices.Contains(r.UserInfo.Groups, kubelet) || slices.Contains(judges, r.UserInfo.Username))
		},
	}}
}

// namespaces gives all whose objects are spared.
func (s Spared) namespaces() []string {
	return slices.Compact(slices.Sorted(slices.Values(append([]string{nodeLeases}, s.Namespaces...))))
}

// conditions are what an entry that asks about the places is to have.
func (s Spared) conditions(d places) []admissionregistrationv1.MatchCondition {
	var out []admissionregistrationv1.MatchCondition
	if !s.BreakGlass.Empty() {
		out = append(out, admissionregistrationv1.MatchCondition{Name: "nobody-who-breaks-the-glass", Expression: s.BreakGlass.others()})
	}
	for _, l := range lifelines() {
		if slices.ContainsFunc(l.places, d.meets) {
			out = append(out, admissionregistrationv1.MatchCondition{Name: l.name, Expression: l.expression})
		}
	}
	return out
}

// meets reports whether somebody who asks about the places hears of writes at q, in whatever version.
func (d places) meets(q place) bool {
	for p := range d {
		p.version = "*"
		if p.covers(q) {
			return true
		}
	}
	return false
}

// spares reports whether a request that has come all the same is let pass.
func (h *Handler) spares(r *request) bool {
	if h.opts.Spared.BreakGlass.Excuses(&r.UserInfo) || r.Namespace != "" && slices.Contains(h.spared, r.Namespace) {
		return true
	}
	for i := range h.lifelines {
		if h.lifelines[i].is(r) {
			return true
		}
	}
	return false
}

// inGroups is an expression that holds for members of one of the groups.
func inGroups(groups []string) string {
	return "(has(request.userInfo.groups) && request.userInfo.groups.exists(g, g in " + list(groups) + "))"
}

// list writes texts as a list in CEL.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a text as a literal in CEL, whose escapes Go's are.
// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values
func quote(s string) string {
	double := strconv.QuoteToASCII(s)
	if strings.ContainsAny(s, `'"\`) {
		return double
	}
	return "'" + double[1:len(double)-1] + "'"
}
