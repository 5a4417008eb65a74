package engine

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// evaluation is one request on its way through the rules: what several rules ask is found out once.
type evaluation struct {
	ctx     context.Context
	req     *Request
	in      *Inputs
	env     expr.Env
	root    map[string]any
	object  map[string]any // what the rules judge: changes as mutate rules apply
	before  map[string]any // what it was at first
	payload *any           // what the rules judge in the place of an object, or nil
	changed bool
	version int                // of the object: how often it was changed
	seen    map[*Rule]int      // the version that the rules which are reinvoked have left behind
	took    map[*Rule][]string // names of parameters by which those of an API server's own policies have mutated
	atRest  bool               // an audit: mutate rules find drift
	name    string
	// resource is what the request is about.
	resource Resource

	exceptions map[*Rule][]excuse // of the snapshot
	narrow     []*Exception       // those that excuse controls of the podSecurity rule in hand
	allowed    cel.Exceptions     // what exceptions allow to the expressions of the rule in hand

	nsLabels  map[string]any
	nsErr     error
	nsLoaded  bool
	roleList  []string
	cRoleList []string
	roleErr   error
	rolesDone bool
	imagesErr error
	images    bool
	asked     *asked // shared by the evaluations of one request
	own       asked
	policy    *Policy                  // of the rule in hand
	scope     scope                    // of the rule in hand
	met       map[*celConditions]unmet // of matchConditions
}

func (s *Snapshot) begin(ctx context.Context, req *Request, in *Inputs) *evaluation {
	e := &evaluation{ctx: ctx, req: req, in: in, object: req.subject(), name: req.Name, resource: req.Target(), exceptions: s.excused}
	e.before = e.object
	e.asked = &e.own
	e.env = expr.Env{Functions: s.functions, Now: in.Now, Rand: in.Rand}
	if e.name == "" {
		meta, _ := e.object["metadata"].(map[string]any)
		if e.name, _ = meta["name"].(string); e.name == "" {
			e.name, _ = meta["generateName"].(string)
		}
	}
	return e
}

// about is an evaluation of another request in the place of this one: of the same name, and of the same world.
func (e *evaluation) about(req *Request) *evaluation {
	return &evaluation{
		ctx: e.ctx, req: req, in: e.in, env: e.env, object: req.subject(), name: e.name, resource: req.Target(), asked: e.asked, policy: e.policy,
		exceptions: e.exceptions, atRest: e.atRest,
	}
}

// namespace is the one that `namespaces` filters look at: of a Namespace object, its own name.
func (e *evaluation) namespace() string {
	if e.isNamespace() {
		return e.name
	}
	return e.req.Namespace
}

func (e *evaluation) metadata(key string) map[string]any {
	meta, _ := e.object["metadata"].(map[string]any)
	m, _ := meta[key].(map[string]any)
	return m
}

func (e *evaluation) namespaceLabels() (map[string]any, error) {
	if e.nsLoaded {
		return e.nsLabels, e.nsErr
	}
	e.nsLoaded = true
	if e.req.Namespace == "" {
		return nil, nil
	}
	labels, err := e.in.Lookups.NamespaceLabels(e.ctx, e.req.Namespace)
	if err != nil {
		e.restsOnNamespace()
		e.nsErr = fmt.Errorf("reading the labels of namespace %s: %w", e.req.Namespace, err)
		return nil, e.nsErr
	}
	e.loadNamespace(labels)
	return e.nsLabels, nil
}

func (e *evaluation) loadNamespace(labels map[string]string) {
	e.restsOnNamespace()
	e.nsLoaded = true
	e.nsLabels = make(map[string]any, len(labels))
	for k, v := range labels {
		e.nsLabels[k] = v
	}
}

func (e *evaluation) restsOnNamespace() {
	e.asked.restsOn(Dependency{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Name: e.req.Namespace})
}

// namespaceLabelsAtHand gives the labels of the namespace if they can be had without a wait; none of an object in none.
func (e *evaluation) namespaceLabelsAtHand() (labels map[string]any, known bool) {
	if !e.nsLoaded && e.req.Namespace != "" {
		lookups, ok := e.in.Lookups.(AtHand)
		if !ok {
			return nil, false
		}
		found, ok := lookups.NamespaceLabelsAtHand(e.req.Namespace)
		if !ok {
			return nil, false
		}
		e.loadNamespace(found)
	}
	return e.nsLabels, e.nsErr == nil
}

func (e *evaluation) roles() (roles, clusterRoles []string, err error) {
	if !e.rolesDone {
		e.rolesDone = true
		e.roleList, e.cRoleList, e.roleErr = e.in.Lookups.Roles(e.ctx, e.req.User)
		if e.roleErr != nil {
			e.roleErr = fmt.Errorf("finding the roles of user %s: %w", e.req.User.Username, e.roleErr)
		}
	}
	return e.roleList, e.cRoleList, e.roleErr
}

// document is the root of the rule's expressions. It is built at the first rule that needs it, and each
// costly part only when a rule reads it.
func (e *evaluation) document(n needs) (map[string]any, error) {
	if e.root == nil {
		e.root = e.newDocument()
	}
	request := e.root["request"].(map[string]any)
	if n.wantsOld() && request["oldObject"] == nil && e.req.Old() != nil {
		request["oldObject"] = e.req.Old()
	}
	if e.req.User != nil && n.wantsRoles() && request["roles"] == nil {
		roles, clusterRoles, err := e.roles()
		if err != nil {
			return nil, err
		}
		request["roles"], request["clusterRoles"] = anyList(roles), anyList(clusterRoles)
	}
	if n.has("images") || n.has("@") || n.shows("images") {
		if err := e.loadImages(); err != nil {
			return nil, err
		}
	}
	return e.root, nil
}

func (e *evaluation) newDocument() map[string]any {
	req := e.req
	request := map[string]any{
		"operation": string(req.Operation),
		"name":      e.name,
		"kind":      map[string]any{"group": req.Kind.Group, "version": req.Kind.Version, "kind": req.Kind.Kind},
		"resource":  map[string]any{"group": req.Resource.Group, "version": req.Resource.Version, "resource": req.Resource.Resource},
	}
	if req.Namespace != "" {
		request["namespace"] = req.Namespace
	}
	if req.UID != "" {
		request["uid"] = req.UID
		request["dryRun"] = req.DryRun
	}
	if req.SubResource != "" {
		request["subResource"] = req.SubResource
	}
	if req.Options != nil {
		request["options"] = req.Options
	}
	if e.object != nil {
		request["object"] = e.object
	}
	root := map[string]any{"request": request}
	if u := req.User; u != nil {
		info := map[string]any{"username": u.Username, "uid": u.UID, "groups": anyList(u.Groups)}
		if len(u.Extra) > 0 {
			extra := make(map[string]any, len(u.Extra))
			for k, v := range u.Extra {
				extra[k] = anyList(v)
			}
			info["extra"] = extra
		}
		request["userInfo"] = info
		root["serviceAccountName"], root["serviceAccountNamespace"] = serviceAccount(u.Username)
	}
	return root
}

// replace makes the mutated object the one that further rules see.
func (e *evaluation) replace(object map[string]any) {
	e.object, e.changed = object, true
	e.version++
	e.images = false
	if e.root != nil {
		e.root["request"].(map[string]any)["object"] = object
		delete(e.root, "images")
	}
}

// serviceAccount splits system:serviceaccount:namespace:name; both are empty for other users.
func serviceAccount(username string) (name, namespace any) {
	rest, ok := strings.CutPrefix(username, "system:serviceaccount:")
	if !ok {
		return "", ""
	}
	ns, n, _ := strings.Cut(rest, ":")
	return n, ns
}

func anyList[T ~[]string](list T) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
