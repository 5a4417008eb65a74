package app

import (
	"context"
	"strconv"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// chronicle turns what the doors decide and do into entries of the ledger. Without a ledger it is nil, and nothing is
// recorded.
type chronicle struct{ *ledger.Recorder }

// start starts the ledger. It comes before all that records, and so ends behind it.
func (c *chronicle) start(parts *lifecycle) {
	if c != nil {
		parts.start("ledger", c.Run)
	}
}

// status is how the ledger is.
func (c *chronicle) status(ctx context.Context) ledger.Status {
	if c == nil {
		return ledger.Status{Store: "none"}
	}
	return c.Status(ctx)
}

// refused records a write that was refused, an entry for each rule that refuses it.
func (c *chronicle) refused(r *webhook.Refusal) {
	if c == nil {
		return
	}
	req := r.Request
	for _, d := range r.Decisions[:min(len(r.Decisions), maxRefusing)] {
		apiVersion, kind := r.Object.Kind.ToAPIVersionAndKind()
		e := ledger.Entry{
			Kind:   ledger.Denied,
			Object: ledger.Object{APIVersion: apiVersion, Kind: kind, Namespace: r.Object.Namespace, Name: r.Object.Name, UID: r.Object.UID},
			Policy: policyOf(d), Bundle: r.Bundle, Message: d.Message, Outcome: d.Status.String(), Request: req.UID,
			Details: map[string]string{"operation": string(r.Operation)},
		}
		if req.SubResource != "" {
			e.Details["subresource"] = req.SubResource
		}
		if len(r.Decisions) > maxRefusing {
			e.Details["refusing"] = strconv.Itoa(len(r.Decisions))
		}
		if secret(e.Object) {
			e.Message = "" // it may quote the Secret
		}
		if req.User != nil {
			e.Actor.User, e.Actor.Groups = req.User.Username, req.User.Groups
		}
		e.Actor.Manager, _ = req.Options["fieldManager"].(string)
		c.Note(e)
	}
}

// maxRefusing is how many rules of one refusal are recorded: as many as its answer spells out.
const maxRefusing = 20

func policyOf(d *engine.Decision) ledger.Policy {
	return ledger.Policy{Kind: d.Policy.Kind, Name: d.Policy.Key(), Rule: d.Rule.Name, Digest: d.Policy.Digest}
}

func secret(o ledger.Object) bool { return o.Kind == "Secret" && o.APIVersion == "v1" }

// journal gives where the keeper records what it does; nil without a ledger.
func (c *chronicle) journal() reconcile.Journal {
	if c == nil {
		return nil
	}
	return acts{c.Recorder}
}

// acts records writes of objects.
type acts struct{ recorder *ledger.Recorder }

// Begin records the intent, and lets the outcome be noted.
func (a acts) Begin(ctx context.Context, act reconcile.Act) (ended func(error), err error) {
	c, p := act.Change, act.Rule.Policy
	apiVersion, kind := c.Kind.ToAPIVersionAndKind()
	e := ledger.Entry{
		Kind:   ledger.Intended,
		Object: ledger.Object{APIVersion: apiVersion, Kind: kind, Namespace: c.Namespace, Name: c.Name, UID: uidIn(c.Current)},
		Policy: ledger.Policy{Kind: p.Kind, Name: p.Key(), Rule: act.Rule.Name, Digest: p.Digest}, Bundle: act.Bundle,
		Actor: ledger.Actor{Manager: reconcile.FieldManager}, Message: "a rule wants it for " + act.Trigger.String(),
		Diff:    report.ChangeText(c),
		Details: map[string]string{"action": string(c.Action), "trigger": act.Trigger.String(), "triggerUID": act.Trigger.UID},
	}
	receipt, err := a.recorder.Append(ctx, e)
	if err != nil {
		return nil, err
	}
	return func(err error) {
		e.Kind, e.Outcome, e.Diff, e.Message = ledger.Applied, "done", "", ""
		if err != nil {
			e.Outcome = "failed"
			if !secret(e.Object) { // what the API server says may quote it
				e.Message = err.Error()
			}
		}
		e.Details["intent"] = strconv.FormatInt(receipt.Seq, 10)
		a.recorder.Note(e)
	}, nil
}

func uidIn(object map[string]any) string {
	meta, _ := object["metadata"].(map[string]any)
	uid, _ := meta["uid"].(string)
	return uid
}
