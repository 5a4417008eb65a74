package engine

import (
	"errors"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// compare finds out what is to be done with one object that the rule wants.
//
// A rule without synchronize has made its object once it is there, whatever becomes of it. One that has gone
// missing is wanted all the same, as the peer wants it whenever the trigger is written; whether somebody took
// it away on purpose since then cannot be seen in what there is (Change.Synchronize tells the two apart for
// whoever acts on it).
func (g *generator) compare(d *downstream) error {
	current, err := g.e.get(g.rule.Policy, d.kind, d.namespace, d.name)
	if errors.Is(err, ErrNotFound) {
		return g.missing(d)
	}
	if err != nil {
		return fmt.Errorf("looking for %s: %w", d, err)
	}
	switch {
	case !g.rule.generate.synchronize:
		g.kept++
		return nil
	case d.chance:
		g.kept++
		g.notes = append(g.notes, fmt.Sprintf("%s is there; its content is not compared, because it depends on the time or on chance", d))
		return nil
	}
	return g.differs(d, current)
}

func (g *generator) missing(d *downstream) error {
	if d.chance {
		// Its name may be made up anew each time. Then the labels tell whether the rule has done its work.
		found, err := g.sibling(d)
		if err != nil || found {
			return err
		}
	}
	if g.e.atRest && g.older() {
		g.notes = append(g.notes, fmt.Sprintf("%s is missing: the object is older than the policy, which leaves existing ones alone (generateExisting)", d))
		return nil
	}
	g.problems = append(g.problems, d.String()+" is missing")
	g.changes = append(g.changes, g.change(CreateObject, d))
	return nil
}

func (g *generator) change(action ChangeAction, d *downstream) Change {
	rule := g.rule.generate
	return Change{
		Action: action, Kind: d.kind, Namespace: d.namespace, Name: d.name, Object: d.object,
		ServerSideApply: rule.serverSideApply, Synchronize: rule.synchronize, Existing: rule.existing,
	}
}

// older reports whether the trigger is known to be older than the policy of a rule that is for new ones. A
// policy from a file has no age, and an object from a file may have none: then it counts as new, because a
// finding too many can be read and judged, and one that is left out cannot.
func (g *generator) older() bool {
	rule := g.rule.generate
	if rule.existing || rule.created.IsZero() {
		return false
	}
	made := creationTime(g.e.object)
	if made.Equal(rule.created) {
		// Times are in whole seconds. The API server counts its writes, whatever they are of.
		g.e.asked.unwatched = true // the next write counts as one after the policy
		version := resourceVersion(g.e.object)
		return version != 0 && version < rule.version
	}
	return !made.IsZero() && made.Before(rule.created)
}

// sibling looks for an object that the rule made for this trigger under another name.
func (g *generator) sibling(d *downstream) (bool, error) {
	trigger := uid(g.e.object)
	if trigger == "" {
		if !g.e.atRest {
			return false, nil
		}
		g.notes = append(g.notes, fmt.Sprintf("%s is generated under a name that depends on the time or on chance, and the object has no uid to find it by", d.kind.Kind))
		return true, nil
	}
	p := g.rule.Policy
	found, err := g.e.list(p, d.kind, d.namespace, labels.SelectorFromSet(g.rule.GeneratedBy(trigger)))
	if err != nil {
		return false, fmt.Errorf("looking for what the rule generated of kind %s: %w", d.kind.Kind, err)
	}
	if len(found) > 0 {
		g.kept++
	}
	return len(found) > 0, nil
}

// differs compares an object that is there with what the rule wants of it.
func (g *generator) differs(d *downstream, current map[string]any) error {
	wanted, rival := g.claim(d, current)
	merged := d.merge(current, wanted, g.rule.generate.schema)
	patch, err := mutate.Diff(current, merged)
	if err != nil {
		return fmt.Errorf("comparing %s: %w", d, err)
	}
	if len(patch) == 0 {
		g.kept++
		return nil
	}
	problem := d.String() + " differs from what the rule wants at " + listPaths(patch)
	if rival != "" {
		// Each would undo what the other does: nothing is done, and both are named.
		g.problems = append(g.problems, problem+", and was generated "+rival+": they want different things")
		return nil
	}
	g.problems = append(g.problems, problem)
	c := g.change(UpdateObject, d)
	c.Current, c.Patch = current, patch
	if !c.ServerSideApply {
		c.Object = merged
	}
	g.changes = append(g.changes, c)
	return nil
}

// claim settles whose the object is, by its labels, and which labels the rule therefore wants on it.
//
// An object without labels, or with those of a rule that is no more, becomes this rule's. One that another
// rule generates, or this one for another trigger, keeps the labels that it has; rival names the other.
func (g *generator) claim(d *downstream, current map[string]any) (wanted map[string]any, rival string) {
	has := labelsOf(current)
	meta := maps.Clone(metadata(d.object))
	set := maps.Clone(map[string]any(labelsOf(d.object)))
	meta["labels"] = set
	wanted = maps.Clone(d.object)
	wanted["metadata"] = meta

	switch {
	case g.rule.madeBy(has):
		trigger, mine := has.Get(labelTriggerUID), uid(g.e.object)
		earlier := trigger == "" && has.Get(labelTriggerName) == g.e.name // labelled by an earlier version
		if mine == "" || earlier || trigger != mine && trigger != "" {
			dropPrefix(set, labelPrefix+"trigger-")
		}
		if mine != "" && trigger != "" && trigger != mine {
			rival = fmt.Sprintf("for another %s (uid %s)", has.Get(labelTriggerKind), trigger)
		}
		if set[labelSourceUID] == nil || has.Get(labelSourceName) != "" {
			dropPrefix(set, labelPrefix+"source-")
		}
	case has.Get(labelPolicy) != "":
		if other := g.snapshot.maker(has); other != nil {
			dropPrefix(set, labelPrefix)
			rival = "by " + ruleText(other)
		}
	}
	return wanted, rival
}
