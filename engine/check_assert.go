package engine

import (
	"errors"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/assert"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// assertCheck passes a request that is as an assertion tree says. Kyverno evaluates such rules up to 1.18 and
// passes over them since.
type assertCheck struct {
	tree   *assert.Tree
	old    bool // the tree reads the object as it was
	labels bool // the tree reads the labels of the namespace
	user   bool // the tree reads who asks
}

func (c *compiler) compileAssert(doc *kyvernov1.Any, path []any) checker {
	tree, err := assert.Compile(doc.Value)
	if err != nil {
		var wrong *assert.CompileError
		if errors.As(err, &wrong) {
			path, err = at(path, wrong.Path...), wrong.Err
		}
		c.problem(path, err.Error())
		return nil
	}
	out := &assertCheck{tree: tree}
	reads := tree.References()
	reads = slices.Concat(reads, wholeDocument(reads))
	for _, part := range reads {
		switch part {
		case "object", "oldObject", "operation":
			c.refs = append(c.refs, "request."+part)
			out.old = out.old || part == "oldObject"
		case "admissionInfo":
			out.user = true
			c.refs = append(c.refs, "request.userInfo", "request.roles", "request.clusterRoles")
		case "namespaceLabels":
			out.labels = true
		}
	}
	// $name is a variable of the rule's context
	c.refs = append(c.refs, tree.Bindings()...)
	return out
}

// wholeDocument lists the parts that matter of a document which is read as a whole.
func wholeDocument(reads []string) []string {
	if !slices.Contains(reads, "@") {
		return nil
	}
	return []string{"object", "oldObject", "operation", "admissionInfo", "namespaceLabels"}
}

func (a *assertCheck) check(x *scope) *Decision {
	document, err := a.document(x)
	if err != nil {
		return x.rule.failed(err)
	}
	var bindings *expr.Bindings
	for _, name := range a.tree.Bindings() {
		if value, ok := x.env.Root[name]; ok {
			bindings = bindings.With(name, value)
		}
	}
	res := a.tree.Evaluate(x.env, document, bindings)
	switch res.Outcome {
	case assert.Pass:
		return x.rule.decide(Pass, "")
	case assert.Fail:
		failed := make([]string, len(res.Failures))
		for i, f := range res.Failures {
			failed[i] = f.String()
		}
		return x.fail("failed "+strings.Join(failed, "; "), res.Failures[0].Path)
	default:
		return x.rule.failed(res.Err)
	}
}

// document is what a tree judges: the request in the words of Kyverno's assertions.
func (a *assertCheck) document(x *scope) (map[string]any, error) {
	req := x.e.req
	document := map[string]any{
		"object": nil, "oldObject": nil, "admissionInfo": nil, "namespaceLabels": nil,
		"operation":          string(req.Operation),
		"admissionOperation": req.User != nil,
		"requestResource":    map[string]any{"group": req.Resource.Group, "version": req.Resource.Version, "resource": req.Resource.Resource},
		"resourceKind":       map[string]any{"group": req.Kind.Group, "version": req.Kind.Version, "kind": req.Kind.Kind, "subResource": req.SubResource},
	}
	// an object that is being deleted is the old one alone
	if req.Operation != Delete {
		document["object"] = x.object
	}
	if a.old && req.Old() != nil {
		document["oldObject"] = req.Old()
	}
	if a.labels {
		labels, err := x.e.namespaceLabels()
		if err != nil {
			return nil, err
		}
		document["namespaceLabels"] = labels
	}
	if a.user && req.User != nil {
		roles, clusterRoles, err := x.e.roles()
		if err != nil {
			return nil, err
		}
		request, _ := x.env.Root["request"].(map[string]any)
		document["admissionInfo"] = map[string]any{
			"roles": anyList(roles), "clusterRoles": anyList(clusterRoles), "userInfo": request["userInfo"],
		}
	}
	return document, nil
}
