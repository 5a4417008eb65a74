package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
)

// Source is what results name as their source, whatever the kind of the policy: the word is for the engine that
// judged ("an identifier for the policy engine that manages this report"), and viewers make one source of it that
// people switch on and off. What the kind of the policy is, PropertyPolicyKind says; Kyverno's reports say it by a
// source for each kind in CEL (KyvernoValidatingPolicy and so on).
const Source = "holdfast"

// Result is one rule's verdict on one object. The fields are named as in PolicyReport.
// Source: https://github.com/kubernetes-sigs/wg-policy-prototypes/tree/master/policy-report
type Result struct {
	Source string `json:"source"`
	// Policy is the policy's name; namespace/name for a namespaced one.
	Policy string `json:"policy"`
	// Rule is empty for a policy that speaks as a whole, as those in CEL do.
	Rule   string `json:"rule"`
	Result Status `json:"result"`
	// Severity is critical, high, medium, low or info; empty when the policy does not say.
	Severity string `json:"severity,omitempty"`
	Category string `json:"category,omitempty"`
	Message  string `json:"message,omitempty"`
	// Scored is false for a policy whose failures are warnings.
	Scored    bool       `json:"scored"`
	Resources []Resource `json:"resources"`
	// Properties are the policy's reportProperties and those of this package.
	Properties map[string]string `json:"properties,omitempty"`

	// Origin is where the object is written, when it comes from a file.
	Origin Origin `json:"-"`
	// Since is how the object came to what was found; nil if that is not known.
	Since *Since `json:"-"`
}

// The properties that this package sets.
const (
	// PropertyPolicyKind is the kind of the policy, such as ClusterPolicy or ValidatingPolicy: policies of several
	// kinds may bear one name.
	PropertyPolicyKind = "policy-kind"
	// PropertyAction is Enforce or Audit: what the failure means for a write.
	PropertyAction = "action"
	// PropertyPath is where in the object the rule failed, as a JSON pointer.
	PropertyPath = "path"
	// PropertyExceptions names the PolicyExceptions that excuse the object, as namespace/name.
	PropertyExceptions = "exceptions"
	// PropertyPatch is the RFC 6902 patch, as compact JSON, that clears the finding of a mutate rule.
	PropertyPatch = "patch"
	// PropertyPatchOmitted stands in the place of a patch that is too long for a report.
	PropertyPatchOmitted = "patch-omitted"
	// PropertyChanges is what the rule wants of other objects, as a compact JSON list: action, apiVersion, kind,
	// namespace, name, and the object to create or the patch of an update.
	PropertyChanges = "changes"
	// PropertyChangesOmitted stands in the place of changes that are too long for a report.
	PropertyChangesOmitted = "changes-omitted"
	// PropertyFile and PropertyLine tell where the finding is written.
	PropertyFile = "file"
	PropertyLine = "line"
	// PropertyState is the State of a finding.
	PropertyState = "state"
	// PropertyFirstSeen is when the rule was first seen to fail, PropertyWrittenBy the user who brought the object to it,
	// PropertyFieldManager the field manager, PropertyWrittenAt when that was, PropertyDetectedAfter the time from there
	// until it was first seen, PropertySlipped how the write got past admission.
	PropertyFirstSeen     = "first-seen"
	PropertyWrittenBy     = "written-by"
	PropertyFieldManager  = "field-manager"
	PropertyWrittenAt     = "written-at"
	PropertyDetectedAfter = "detected-after"
	PropertySlipped       = "slipped-past"
)

// Status is the outcome of a rule in PolicyReport's words.
type Status string

// The outcomes.
const (
	Pass  Status = "pass"
	Fail  Status = "fail"
	Warn  Status = "warn"
	Error Status = "error"
	Skip  Status = "skip"
)

// finding reports whether somebody has to look at it.
func (s Status) finding() bool { return s == Fail || s == Warn || s == Error }

// Resource names an object.
type Resource struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
}

// String writes kind namespace/name.
func (r Resource) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Origin is a place in a file. Lines and columns count from 1; 0 means unknown.
type Origin struct {
	File string
	// ObjectLine is where the object begins; Line and Column are where the finding is.
	ObjectLine, Line, Column int
}

// resource is the object that the result is about.
func (r *Result) resource() Resource {
	if len(r.Resources) == 0 {
		return Resource{}
	}
	return r.Resources[0]
}

// id names the rule among those of all kinds of policies.
func (r *Result) id() string {
	return engine.RuleID(r.Properties[PropertyPolicyKind], r.Policy, r.Rule)
}

// Sort orders results by object, policy and rule, with every other field to break a tie.
func Sort(results []Result) { slices.SortStableFunc(results, compare) }

func compare(a, b Result) int {
	c := cmp.Or(
		compareResources(a.resource(), b.resource()),
		strings.Compare(a.Origin.File, b.Origin.File), cmp.Compare(a.Origin.ObjectLine, b.Origin.ObjectLine),
		strings.Compare(a.Policy, b.Policy), strings.Compare(a.Rule, b.Rule),
		cmp.Compare(rank(a.Result), rank(b.Result)), strings.Compare(a.Message, b.Message),
		strings.Compare(a.Source, b.Source), strings.Compare(a.Severity, b.Severity), strings.Compare(a.Category, b.Category),
		cmp.Compare(a.Origin.Line, b.Origin.Line), cmp.Compare(a.Origin.Column, b.Origin.Column),
	)
	if c != 0 {
		return c
	}
	return compareProperties(a.Properties, b.Properties)
}

func compareResources(a, b Resource) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name),
		strings.Compare(a.APIVersion, b.APIVersion), strings.Compare(a.UID, b.UID),
	)
}

func compareProperties(a, b map[string]string) int {
	flat := func(m map[string]string) []string {
		var out []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			out = append(out, k, m[k])
		}
		return out
	}
	return slices.Compare(flat(a), flat(b))
}

// rank orders the outcomes: what needs somebody first.
func rank(s Status) int {
	return slices.Index([]Status{Fail, Error, Warn, Skip, Pass}, s)
}

// severityRank orders severities from the highest; unknown ones come after medium, before low: a policy
// that does not say how grave it is should not hide behind one that says it is not.
func severityRank(severity string) int {
	return slices.Index([]string{"critical", "high", "medium", "", "low", "info"}, severity)
}
