package engine

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// OrphanQuery asks which of the objects have lost what they were generated for.
type OrphanQuery struct {
	// Objects were generated, as their labels say; others among them are passed over.
	Objects []map[string]any
	// Before is the snapshot that was in force before, if the question is asked because it was replaced: only
	// it knows what a rule that is gone wanted to become of its objects. Nil if nothing was replaced.
	Before *Snapshot
}

// Orphan is an object that is to be deleted.
type Orphan struct {
	// Rule is the rule that generated it; of Before, if it is gone.
	Rule   *Rule
	Change Change
	// Reason says what the object has lost.
	Reason string
}

// Orphans says which objects are to be deleted because the synchronized rule that generated them is gone
// (unless it has orphanDownstreamOnPolicyDelete), or their trigger is gone or no longer matches, or the source
// that they are a copy of is gone. Objects of rules without synchronize stay. So does what a rule that still
// matches no longer generates, as with the peer, and what a rule cannot have generated, whatever its labels say.
//
// What cannot be told is no orphan: it is in the error, which joins all of them.
func (s *Snapshot) Orphans(ctx context.Context, in *Inputs, q OrphanQuery) ([]Orphan, error) {
	var out []Orphan
	var errs []error
	shared := &asked{}
	for _, object := range q.Objects {
		if !isGenerated(object) {
			continue
		}
		o := &orphanCheck{snapshot: s, object: object, ctx: ctx, in: in, asked: shared}
		orphan, err := o.check(q.Before)
		switch {
		case err != nil:
			c := o.change()
			errs = append(errs, fmt.Errorf("finding out whether %s is still wanted: %w", &c, err))
		case orphan != nil:
			out = append(out, *orphan)
		}
	}
	return out, errors.Join(errs...)
}

// orphanCheck looks at one generated object.
type orphanCheck struct {
	snapshot *Snapshot
	object   map[string]any
	ctx      context.Context
	in       *Inputs
	asked    *asked // shared by all objects of the query
	rule     *Rule
}

func (o *orphanCheck) change() Change {
	version, _ := o.object["apiVersion"].(string)
	kind, _ := o.object["kind"].(string)
	namespace, _ := metadata(o.object)["namespace"].(string)
	return Change{
		Action: DeleteObject, Kind: schema.FromAPIVersionAndKind(version, kind),
		Namespace: namespace, Name: objectName(o.object), Current: o.object, Synchronize: true,
	}
}

func (o *orphanCheck) orphan(reason string) *Orphan {
	return &Orphan{Rule: o.rule, Change: o.change(), Reason: reason}
}

func (o *orphanCheck) check(before *Snapshot) (*Orphan, error) {
	has := labelsOf(o.object)
	if o.rule = o.snapshot.maker(has); o.rule == nil {
		if before == nil {
			return nil, nil
		}
		if o.rule = before.maker(has); o.rule == nil || !o.rule.generate.synchronize || o.rule.generate.orphan || !o.mayMake(o.rule) {
			return nil, nil
		}
		if o.rule.generate.cel != nil && has.Get(labelSourceUID) != "" {
			return nil, nil // as with the peer, what a GeneratingPolicy has copied stays when the policy goes
		}
		if err := o.reached(); err != nil {
			return nil, err
		}
		return o.orphan(ruleText(o.rule) + " is gone"), nil
	}
	trigger := triggerOf(has)
	if !o.rule.generate.synchronize ||
		!o.rule.operations.has(Create) || o.rule.operations.has(Delete) || // it generates when its trigger goes
		!o.rule.Selects(&Resource{Kind: trigger.kind, Plural: o.resource(trigger.kind).Resource}) || // it has become a rule about something else
		trigger.unknown() || !o.mayMake(o.rule) && !o.mightMake(before) {
		return nil, nil
	}
	if err := o.reached(); err != nil {
		return nil, err
	}
	found, err := o.find(trigger)
	if err != nil {
		return nil, fmt.Errorf("looking for its trigger: %w", err)
	}
	if found == nil {
		return o.orphan(fmt.Sprintf("the %s that it was generated for is gone", trigger.kind.Kind)), nil
	}
	return o.checkTrigger(trigger, found)
}

// reached refuses an object outside of the policy's namespace, whatever its labels say.
func (o *orphanCheck) reached() error {
	namespace, _ := metadata(o.object)["namespace"].(string)
	return o.rule.Policy.reaches(namespace)
}

// mayMake reports whether the rule can have generated the object, as far as its fields are plain text. Labels
// alone do not make an object the rule's to delete: who may write them may have no right to delete it.
func (o *orphanCheck) mayMake(rule *Rule) bool {
	c := o.change()
	fits := func(t *expr.Template, text string) bool {
		plain, ok := constant(t)
		return !ok || plain == text
	}
	if made := rule.generate.cel; made != nil {
		return made.mayMake(&c)
	}
	for i := range rule.generate.parts {
		p := rule.generate.parts[i].make
		if !fits(p.namespace, c.Namespace) {
			continue
		}
		if p.list == nil {
			if fits(p.apiVersion, c.Kind.GroupVersion().String()) && fits(p.kind, c.Kind.Kind) && fits(p.name, c.Name) {
				return true
			}
			continue
		}
		for _, kind := range p.list.kinds {
			text, plain := constant(kind)
			if gvk, err := parseGVK(text); !plain || err == nil && gvk == c.Kind {
				return true
			}
		}
	}
	return false
}

// mightMake reports whether a GeneratingPolicy could make the object before it was changed.
func (o *orphanCheck) mightMake(before *Snapshot) bool {
	if before == nil || o.rule.generate.cel == nil {
		return false
	}
	rule := before.maker(labelsOf(o.object))
	return rule != nil && rule.generate.cel != nil && rule.generate.synchronize && o.mayMake(rule)
}

// identity is what the labels tell of a trigger or source: its UID, or its name if an earlier version wrote
// them.
type identity struct {
	kind                 schema.GroupVersionKind
	namespace, uid, name string
}

func triggerOf(l labelMap) identity {
	return identity{
		kind:      schema.GroupVersionKind{Group: l.Get(labelTriggerGroup), Version: l.Get(labelTriggerVersion), Kind: l.Get(labelTriggerKind)},
		namespace: l.Get(labelTriggerNamespace), uid: l.Get(labelTriggerUID), name: l.Get(labelTriggerName),
	}
}

func sourceOf(l labelMap) identity {
	return identity{
		kind:      schema.GroupVersionKind{Group: l.Get(labelSourceGroup), Version: l.Get(labelSourceVersion), Kind: l.Get(labelSourceKind)},
		namespace: l.Get(labelSourceNamespace), uid: l.Get(labelSourceUID), name: l.Get(labelSourceName),
	}
}

func (i identity) unknown() bool { return i.kind.Kind == "" || i.uid == "" && i.name == "" }

// evaluation is one of a trigger, or of none, that shares what was looked up with the others of the query.
func (o *orphanCheck) evaluation(req *Request) *evaluation {
	e := o.snapshot.begin(o.ctx, req, o.in)
	e.atRest, e.asked = true, o.asked
	return e
}

// find gives the object, or nil if it does not exist.
func (o *orphanCheck) find(i identity) (map[string]any, error) {
	e := o.evaluation(&Request{})
	if i.uid == "" {
		object, err := e.get(o.rule.Policy, i.kind, i.namespace, i.name)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		return object, err
	}
	objects, err := e.list(o.rule.Policy, i.kind, i.namespace, nil)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if uid(object) == i.uid {
			return object, nil
		}
	}
	return nil, nil
}

// resource gives the resource of a kind, if somebody knows it.
func (o *orphanCheck) resource(kind schema.GroupVersionKind) schema.GroupVersionResource {
	mapper, ok := o.in.Lookups.(Mapper)
	if !ok {
		return schema.GroupVersionResource{}
	}
	_, resource, err := mapper.Map(o.ctx, kind)
	if err != nil { // such as of a kind that is no longer served: its usual name is asked for
		return schema.GroupVersionResource{}
	}
	return resource
}

// checkTrigger asks whether the rule still generates for a trigger that is there.
func (o *orphanCheck) checkTrigger(i identity, trigger map[string]any) (*Orphan, error) {
	namespace, _ := metadata(trigger)["namespace"].(string)
	e := o.evaluation(&Request{
		Operation: Create, Kind: i.kind, Resource: o.resource(i.kind), Namespace: namespace, Name: objectName(trigger), Object: trigger,
	})
	matches, d := o.rule.applies(e)
	switch {
	case d != nil && d.Status == Error:
		return nil, d.Err
	case d != nil: // whether it matches takes a request to tell
		return nil, nil
	case !matches:
		return o.orphan(fmt.Sprintf("%s no longer matches the rule", objectText(i.kind, namespace, e.name))), nil
	}
	x, d := o.rule.prepare(e)
	switch {
	case d != nil && d.Status == Error:
		return nil, d.Err
	case d != nil:
		return o.orphan(fmt.Sprintf("%s no longer meets the preconditions of the rule", objectText(i.kind, namespace, e.name))), nil
	}
	source := sourceOf(labelsOf(o.object))
	if source.unknown() && o.rule.generate.cel == nil {
		return nil, nil
	}
	wanted, told := o.isWanted(e, x)
	switch {
	case wanted:
		return nil, nil
	case told && o.rule.generate.cel != nil:
		return o.orphan(fmt.Sprintf("%s generates it no longer for %s", ruleText(o.rule), objectText(i.kind, namespace, e.name))), nil
	case source.unknown():
		return nil, nil
	}
	found, err := o.find(source)
	if err != nil {
		return nil, fmt.Errorf("looking for its source: %w", err)
	}
	if found == nil {
		return o.orphan(fmt.Sprintf("the %s that it is a copy of is gone", source.kind.Kind)), nil
	}
	return nil, nil
}

// isWanted reports whether the rule would generate the object, as it does from a source of the same name that
// has taken the place of the one that is gone. If not, told says whether all that the rule would generate is known:
// nothing stood in the way, and no name is made up anew each time.
func (o *orphanCheck) isWanted(e *evaluation, x *scope) (wanted, told bool) {
	g := &generator{e: e, rule: o.rule, snapshot: o.snapshot, chance: e.watchChance()}
	g.produce(x)
	c := o.change()
	for _, d := range g.wanted {
		if d.kind == c.Kind && d.namespace == c.Namespace && d.name == c.Name {
			return true, true
		}
	}
	return false, len(g.errs) == 0 && !*g.chance
}

// ruleText names a rule in messages; a GeneratingPolicy, which has one, by itself.
func ruleText(r *Rule) string {
	if r.Name == "" {
		return "policy " + r.Policy.Key()
	}
	return fmt.Sprintf("rule %s of policy %s", r.Name, r.Policy.Key())
}
