package app

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/ledger"
)

// policyWritten records who changes what a policy says. That outlives the memory of admission, and says who may not approve what
// comes of it.
func (c *chronicle) policyWritten(req *engine.Request) {
	if c == nil {
		return
	}
	u := &unstructured.Unstructured{Object: req.Object}
	e := policyEntry(ledger.PolicyWritten, req, u)
	e.Outcome, e.Details[detailGeneration], e.Details[detailNewest] = "admitted", generationIn(u), newestWrite(u)
	c.Note(e)
}

// policyRefused records a policy that was refused because it is broken.
func (c *chronicle) policyRefused(req *engine.Request, problems []engine.Problem) {
	if c == nil {
		return
	}
	e := policyEntry(ledger.Denied, req, &unstructured.Unstructured{Object: req.Object})
	e.Outcome, e.Message, e.Details["problems"] = "fail", problems[0].String(), strconv.Itoa(len(problems))
	c.Note(e)
}

// policyEntry is what the entries about a write of a policy have.
func policyEntry(as ledger.Kind, req *engine.Request, u *unstructured.Unstructured) ledger.Entry {
	apiVersion, kind := req.Kind.ToAPIVersionAndKind()
	name := u.GetName()
	if ns := u.GetNamespace(); ns != "" {
		name = ns + "/" + name
	}
	e := ledger.Entry{
		Kind:   as,
		Object: ledger.Object{APIVersion: apiVersion, Kind: kind, Namespace: u.GetNamespace(), Name: u.GetName(), UID: string(u.GetUID())},
		Policy: ledger.Policy{Kind: kind, Name: name}, Request: req.UID, Details: map[string]string{"operation": string(req.Operation)},
	}
	if req.User != nil {
		e.Actor.User, e.Actor.Groups = req.User.Username, req.User.Groups
	}
	e.Actor.Manager, _ = req.Options["fieldManager"].(string)
	return e
}

// By these an entry of a written policy is known again from the policy: its generation, and the newest time of its managedFields.
const (
	detailGeneration = "generation"
	detailNewest     = "newest"
)

// generationIn is the generation as text, whichever number JSON has made of it.
func generationIn(u *unstructured.Unstructured) string {
	meta, _ := u.Object["metadata"].(map[string]any)
	switch n := meta["generation"].(type) {
	case float64:
		return strconv.FormatInt(int64(n), 10)
	case int64:
		return strconv.FormatInt(n, 10)
	default:
		return ""
	}
}

// editor finds who wrote a policy as it stands now; empty where the ledger does not tell, or tells of two.
func (c *chronicle) editor(ctx context.Context, policy *unstructured.Unstructured) (string, error) {
	if c == nil {
		return "", nil
	}
	page, err := c.Query(ctx, ledger.Query{Kinds: []ledger.Kind{ledger.PolicyWritten}, ObjectName: policy.GetName(), UID: string(policy.GetUID())})
	if err != nil {
		return "", fmt.Errorf("asking the ledger who wrote %s %s: %w", policy.GetKind(), policy.GetName(), err)
	}
	generation, newest, editor := generationIn(policy), newestWrite(policy), ""
	for i := range page.Entries {
		e := &page.Entries[i]
		if e.Details[detailGeneration] != generation || e.Details[detailNewest] != newest {
			continue
		}
		if editor != "" && editor != e.Actor.User {
			return "", nil // one of them was refused by somebody after us
		}
		editor = e.Actor.User
	}
	return editor, nil
}
