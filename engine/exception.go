package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/cel"
	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/podsecurity"
)

// Exception is a compiled PolicyException: it excuses objects from rules. It is immutable.
type Exception struct {
	Namespace, Name string
	// Digest names the exception's content: sha256 in hex over its canonical JSON.
	Digest string
	// Background says whether the exception counts in an audit.
	Background bool
	// Excuses is what it excuses from.
	Excuses []ExcusedRules
	// Warnings are remarks of the compiler: an exception that excuses nothing is none that is broken.
	Warnings []Problem

	match      matcher
	conditions *condition.Conditions
	// controls are all that is excused of a podSecurity rule; nil: the whole rule is.
	controls []podsecurity.Exclusion
	needs    needs
	inCEL    *celExcuse // of policies.kyverno.io; nil: of kyverno.io
}

// ExcusedRules names rules of one policy.
type ExcusedRules struct {
	// Kind is that of a policy of policies.kyverno.io; empty for a ClusterPolicy or Policy.
	Kind   string
	Policy string // name, or namespace/name of one that is in a namespace: as Policy.Key gives it
	// Rules match the rules' names. A rule that was made for pod controllers has a name of its own. Of a policy of
	// policies.kyverno.io they are all meant, and none is named.
	Rules []glob.Glob
}

// The kinds of exceptions: two of them may bear the same namespace and name.
const (
	kindException    = "PolicyException"
	kindCELException = "PolicyException.policies.kyverno.io"
)

// Kind is PolicyException, with its group behind it if that is not kyverno.io.
func (x *Exception) Kind() string {
	if x.inCEL != nil {
		return kindCELException
	}
	return kindException
}

// Key is the exception's namespace/name.
func (x *Exception) Key() string {
	if x.Namespace == "" {
		return x.Name
	}
	return x.Namespace + "/" + x.Name
}

// Names reports whether the exception is about the rule. One of kyverno.io is about policies of kyverno.io alone, and
// one of policies.kyverno.io about those of that group: policies of other kinds may bear the same name.
func (x *Exception) Names(r *Rule) bool {
	return slices.ContainsFunc(x.Excuses, func(e ExcusedRules) bool {
		switch {
		case e.Policy != r.Policy.Key():
			return false
		case x.inCEL != nil:
			return e.Kind == r.Policy.Kind && x.inCEL.isFor(r.Policy)
		default:
			return (r.Policy.Kind == kindClusterPolicy || r.Policy.Kind == kindPolicy) && glob.MatchAny(e.Rules, r.Name)
		}
	})
}

// ExceptionNamespaces says from which namespaces exceptions count, as names with wildcards. None count from
// any other: who may write there may switch off cluster policies (GHSA-qjvc-p88j-j9rm).
type ExceptionNamespaces []string

// Count reports whether an exception of the namespace counts.
func (n ExceptionNamespaces) Count(namespace string) bool {
	return slices.ContainsFunc(n, func(pattern string) bool { return glob.Match(pattern, namespace) })
}

// excuse is an exception as one rule has it.
type excuse struct {
	*Exception
	context []*entry // what the conditions read of the rule's context
}

// indexExceptions lists for each rule the exceptions that name it. A rule without any is not in it.
func indexExceptions(policies []*Policy, exceptions []*Exception) map[*Rule][]excuse {
	if len(exceptions) == 0 {
		return nil
	}
	byPolicy := map[string][]*Exception{}
	for _, x := range exceptions {
		for _, e := range x.Excuses {
			if of := byPolicy[e.Policy]; len(of) == 0 || of[len(of)-1] != x { // one may name a policy twice
				byPolicy[e.Policy] = append(of, x)
			}
		}
	}
	index := map[*Rule][]excuse{}
	for _, p := range policies {
		for _, x := range byPolicy[p.Key()] {
			for _, r := range p.Rules {
				if x.Names(r) {
					if x.inCEL != nil {
						index[r] = append(index[r], excuse{Exception: x})
						continue
					}
					read := block{entries: r.context.entries}
					read.plan(x.needs.refs, nil, nil)
					index[r] = append(index[r], excuse{x, read.before})
				}
			}
		}
	}
	return index
}

// excusal asks the exceptions that name a rule about the object in hand. It gives the decision that takes the
// place of the rule's own, or nil when the rule is to be evaluated; then e.narrow holds the exceptions that
// excuse single controls of it, and e.allowed the images and values that exceptions allow to its expressions.
//
// All are asked, and the answer is the same in any order (GHSA-gg4x-fgg2-h9w9): the object is excused if any of
// them excuses it; else an exception that could not be evaluated makes an error, because it is neither an
// excuse nor none; else one that only a request could answer makes the rule not auditable.
func (e *evaluation) excusal(r *Rule) *Decision {
	e.narrow, e.allowed = nil, cel.Exceptions{}
	exceptions := e.exceptions[r]
	if len(exceptions) == 0 || r.judgesTemplates() && e.resource.Kind.Kind != podKind {
		return nil // of pod templates each is asked about, as a Pod
	}
	var by []*Exception
	var failed error
	missing := ""
	var allowed cel.Exceptions
	for i := range exceptions {
		x := &exceptions[i]
		if (e.atRest && !x.Background) || x.expired(e) {
			continue
		}
		v, reason, err := x.covers(e, r)
		if (v != no || err != nil) && x.expires() {
			e.asked.until(x.inCEL.until)
		}
		switch {
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("PolicyException %s: %w", x.Key(), err))
		case v == unknown && missing == "":
			missing = "PolicyException " + x.Key() + " " + reason
		case v == yes && x.controls != nil && r.judgesPodSecurity():
			e.narrow = append(e.narrow, x.Exception)
		case v == yes && x.inCEL.allows():
			allowed.AllowedImages = append(allowed.AllowedImages, x.inCEL.allowed.AllowedImages...)
			allowed.AllowedValues = append(allowed.AllowedValues, x.inCEL.allowed.AllowedValues...)
		case v == yes:
			by = append(by, x.Exception)
		}
	}
	switch {
	case len(by) > 0:
		return r.excusedBy(by)
	case failed != nil:
		return r.failed(failed)
	case missing != "":
		return r.notAuditable(missing)
	default:
		e.allowed = allowed
		return nil
	}
}

// excusedBy is the decision on an object that these exceptions excuse.
func (r *Rule) excusedBy(by []*Exception) *Decision {
	keys := make([]string, len(by))
	for i, x := range by {
		keys[i] = x.Key()
	}
	what := "PolicyException "
	if len(keys) > 1 {
		what = "PolicyExceptions "
	}
	d := r.decide(reportedAs(by), "excused by "+what+strings.Join(keys, ", "))
	d.Exceptions = keys
	return d
}

// excusedControls are the controls of a podSecurity rule that exceptions excuse on the object in hand.
func (e *evaluation) excusedControls() []podsecurity.Exclusion {
	var out []podsecurity.Exclusion
	for _, x := range e.narrow {
		out = append(out, x.controls...)
	}
	return out
}

// covers reports whether the exception is about the object in hand. Where only a request could tell, it says
// what is missing.
func (x *excuse) covers(e *evaluation, r *Rule) (verdict, string, error) {
	if x.inCEL != nil {
		return x.inCEL.covers(e)
	}
	v, err := x.match.match(e)
	if err != nil || v == no {
		return no, "", err
	}
	if x.conditions != nil {
		if fact := x.needs.request(); fact != "" && e.unasked() {
			return unknown, "needs " + fact, nil
		}
		met, err := x.holds(e, r)
		if err != nil || !met {
			return no, "", err
		}
	}
	if v == unknown {
		return unknown, "matches by request.userInfo", nil
	}
	return yes, "", nil
}

// holds evaluates the conditions. They see what the rule's own do, its context included.
func (x *excuse) holds(e *evaluation, r *Rule) (bool, error) {
	if _, err := e.document(x.needs); err != nil {
		return false, err
	}
	in, err := r.scope(e)
	if err != nil {
		return false, err
	}
	if err := in.load(x.context); err != nil {
		return false, err
	}
	res, err := x.conditions.Evaluate(in.env)
	if err != nil {
		return false, fmt.Errorf("conditions: %w", err)
	}
	return res.Met, nil
}
