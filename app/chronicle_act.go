package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/trail"
)

// deeds gives where the executor records what it does.
func (c *chronicle) deeds() act.Journal {
	if c == nil {
		return act.NoJournal{}
	}
	return deeds{c.Recorder}
}

// deeds records what Remediations do. An entry names the write by Remediation, object and number: there is one Intended and one
// outcome of each.
type deeds struct{ recorder *ledger.Recorder }

// Intend records the intents, with the way back.
func (d deeds) Intend(ctx context.Context, list []act.Deed) error {
	entries := make([]ledger.Entry, len(list))
	for i := range list {
		e := entryOf(&list[i])
		e.Kind, e.Diff = ledger.Intended, list[i].Target.Diff
		e.Inverse = list[i].Target.Inverse
		switch {
		case list[i].Back:
			e.Diff, e.Inverse = "", list[i].Target.Patch
			e.Message = "what was changed is changed back"
		case list[i].Target.Withheld != "":
			e.Message += " (the way back is not kept: " + string(list[i].Target.Withheld) + ")"
		}
		entries[i] = e
	}
	_, err := d.recorder.Append(ctx, entries...)
	return err
}

// Settle records what became of them.
func (d deeds) Settle(ctx context.Context, outcomes []act.Outcome) error {
	entries := make([]ledger.Entry, len(outcomes))
	for i := range outcomes {
		o := &outcomes[i]
		e := entryOf(&o.Deed)
		e.Kind, e.Outcome, e.Message = ledger.Applied, "done", ""
		if o.Back {
			e.Kind = ledger.RolledBack
		}
		if o.Err != nil {
			e.Outcome = "failed"
			if !secret(e.Object) { // what the API server says may quote it
				e.Message = o.Err.Error()
			}
		}
		entries[i] = e
	}
	if len(entries) == 0 {
		return nil
	}
	_, err := d.recorder.Append(ctx, entries...)
	return err
}

// Recall looks for the entries of a deed. With a ledger of its own a replica knows nothing of what another recorded.
func (d deeds) Recall(ctx context.Context, deed act.Deed) (act.Record, error) {
	want := entryOf(&deed)
	var out act.Record
	outcome := ledger.Applied
	if deed.Back {
		outcome = ledger.RolledBack
	}
	err := d.each(ctx, ledger.Query{
		Kinds: []ledger.Kind{ledger.Intended, outcome}, Remediation: want.Remediation, ObjectName: want.Object.Name, UID: want.Object.UID,
	}, func(e *ledger.Entry) {
		if e.Details["write"] == want.Details["write"] && e.Details["remediationUID"] == want.Details["remediationUID"] {
			out.Intended = out.Intended || e.Kind == ledger.Intended
			out.Settled = out.Settled || e.Kind == outcome
		}
	})
	return out, err
}

// Conclude records an end, unless it is on record.
func (d deeds) Conclude(ctx context.Context, r *v1alpha1.Remediation) error {
	e := entryFor(r)
	e.Kind, e.Outcome, e.Message = ledger.Concluded, string(r.Status.Phase), r.Status.Message
	if targets := r.Spec.Plan.Targets; len(targets) == 1 {
		e.Object = targetObject(&targets[0])
	}
	e.Details["targets"] = strconv.Itoa(int(r.Status.Targets.Total))
	e.Details["done"] = strconv.Itoa(int(r.Status.Targets.Done))
	e.Details["failed"] = strconv.Itoa(int(r.Status.Targets.Failed))
	// One that is rolled back ends twice, and with the same phase only if somebody has asked again.
	e.Details["generation"] = strconv.FormatInt(r.Generation, 10)
	there := false
	err := d.each(ctx, ledger.Query{Kinds: []ledger.Kind{ledger.Concluded}, Remediation: r.Name}, func(other *ledger.Entry) {
		there = there || other.Outcome == e.Outcome && other.Details["remediationUID"] == e.Details["remediationUID"] && other.Details["generation"] == e.Details["generation"]
	})
	if err != nil || there {
		return err
	}
	if _, err := d.recorder.Append(ctx, e); err != nil {
		return fmt.Errorf("recording how Remediation %s ended: %w", r.Name, err)
	}
	return nil
}

// each calls take for all entries that a query finds.
func (d deeds) each(ctx context.Context, q ledger.Query, take func(*ledger.Entry)) error {
	const most = 100 // pages of 100: a target is written some tens of times at most
	for range most {
		page, err := d.recorder.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("asking what is on record: %w", err)
		}
		for i := range page.Entries {
			take(&page.Entries[i])
		}
		if !page.More {
			return nil
		}
		q.From = page.Next
	}
	return errors.New("asking what is on record: there are too many entries of one remediation")
}

// entryFor is what all entries of a Remediation have.
func entryFor(r *v1alpha1.Remediation) ledger.Entry {
	p := &r.Spec.Plan.Policy
	e := ledger.Entry{
		Policy: ledger.Policy{Kind: p.Kind, Name: p.Key(), Rule: p.Rule, Digest: p.Digest}, Bundle: r.Spec.Plan.BundleDigest,
		Remediation: r.Name, Plan: r.Spec.PlanDigest, Message: r.Spec.Plan.Rationale, Actor: ledger.Actor{Manager: act.FieldManager},
		Details: map[string]string{"remediationUID": string(r.UID)},
	}
	if id := trail.ID(r.Annotations); id != "" {
		e.Details["trace"] = id
	}
	if a := r.Spec.Approval; a != nil && a.Decision == v1alpha1.DecisionApprove {
		e.Details["approver"] = a.Approver
	}
	return e
}

// entryOf is what all entries of a deed have.
func entryOf(d *act.Deed) ledger.Entry {
	e := entryFor(d.Remediation)
	t := d.Target
	e.Object = targetObject(t)
	way := "there"
	if d.Back {
		way = "back"
		e.Actor.Manager = act.BackManager
		if b := d.Remediation.Spec.Rollback; b != nil && b.AskedBy != nil {
			e.Details["askedBy"] = b.AskedBy.User
		}
	}
	e.Details["write"] = way + " " + strconv.Itoa(int(d.Number))
	return e
}
