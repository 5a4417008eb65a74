package migrate

import (
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// pair and fields hold YAML in the order in which people write it.
type pair struct {
	key   string
	value any
}

type fields []pair

// add appends a field, unless it has nothing to say.
func (o *fields) add(key string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case string:
		if v == "" {
			return
		}
	case []any:
		if len(v) == 0 {
			return
		}
	case fields:
		if len(v) == 0 {
			return
		}
	}
	*o = append(*o, pair{key, value})
}

// plainValue gives the JSON value.
func plainValue(v any) any {
	switch v := v.(type) {
	case fields:
		m := make(map[string]any, len(v))
		for _, p := range v {
			m[p.key] = plainValue(p.value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plainValue(v[i])
		}
		return list
	default:
		return v
	}
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// draft is a CEL policy in the making.
type draft struct {
	name        string
	selection   *selection
	variables   []any
	validations []any
	annotations []any // auditAnnotations
	conditions  []condition
	autogen     []string  // controllers; nil: not said
	existing    condition // for a policy that denies: says what allowExistingViolations says
	shape       *shape    // what expressions say of the object, for the proof; nil where a pattern does
}

// header is what all policies that are made of one have in common.
type header struct {
	kind, namespace string
	labels          map[string]string
	annotations     map[string]string
}

func headerOf(src kyvernov1.PolicyInterface) header {
	h := header{kind: "ValidatingPolicy", namespace: src.GetNamespace(), labels: src.GetLabels(), annotations: map[string]string{}}
	if h.namespace != "" {
		h.kind = "NamespacedValidatingPolicy"
	}
	for key, value := range src.GetAnnotations() {
		switch key {
		case annotationAutogen, "kubectl.kubernetes.io/last-applied-configuration":
		case "kyverno.io/kyverno-version", "policies.kyverno.io/minversion", "kyverno.io/kubernetes-version":
			// of the kind that it was
		default:
			h.annotations[key] = value
		}
	}
	return h
}

// annotationOrder is how people write the annotations of a policy; others follow.
var annotationOrder = [...]string{
	"policies.kyverno.io/title", "policies.kyverno.io/category", "policies.kyverno.io/severity", "policies.kyverno.io/subject", "policies.kyverno.io/description",
}

func (h header) metadata(name string) fields {
	var meta fields
	meta.add("name", name)
	meta.add("namespace", h.namespace)
	var annotations, labels fields
	for _, key := range annotationOrder {
		annotations.add(key, h.annotations[key])
	}
	for _, key := range sortedKeys(h.annotations) {
		if !slices.Contains(annotationOrder[:], key) {
			annotations = append(annotations, pair{key, h.annotations[key]})
		}
	}
	for _, key := range sortedKeys(h.labels) {
		labels = append(labels, pair{key, h.labels[key]})
	}
	meta.add("labels", labels)
	meta.add("annotations", annotations)
	return meta
}

// settings are what a policy says beside its rules.
type settings struct {
	actions       []action
	failurePolicy string
	timeout       int32
	admission     bool
	background    bool
}

// action is what a failure means to the objects of some namespaces. A CEL policy has one action, so that each makes a policy
// of its own.
type action struct {
	enforce bool
	warn    bool
	where   expression // of which objects; always for all
}

func (s *settings) enforced() bool {
	return slices.ContainsFunc(s.actions, func(a action) bool { return a.enforce })
}

func (a action) words() []any {
	switch {
	case a.enforce:
		return []any{"Deny"}
	case a.warn:
		return []any{"Audit", "Warn"}
	default:
		return []any{"Audit"}
	}
}

// suffix tells the policies of a rule with several actions apart.
func (s *settings) suffix(a action) string {
	switch {
	case len(s.actions) == 1:
		return ""
	case a.enforce:
		return "-enforce"
	default:
		return "-audit"
	}
}

func settingsOf(src kyvernov1.PolicyInterface, r *kyvernov1.Rule) (settings, error) {
	spec := src.GetSpec()
	out := settings{admission: spec.AdmissionProcessingEnabled(), background: spec.BackgroundProcessingEnabled()}
	if len(spec.Rules) > 1 && spec.GetApplyRules() == kyvernov1.ApplyOne {
		return out, &refused{[]any{"spec", "applyRules"}, "One: a rule that is evaluated only if no other was"}
	}
	selects, err := translateSelection(r, allOperations, "object")
	if err != nil {
		return out, err
	}
	if out.actions, err = actionsOf(spec, r, selects); err != nil {
		return out, err
	}
	failure := spec.FailurePolicy
	if w := spec.WebhookConfiguration; w != nil {
		if len(w.MatchConditions) > 0 {
			return out, &refused{[]any{"spec", "webhookConfiguration", "matchConditions"}, "matchConditions of the webhook are not translated yet"}
		}
		if w.FailurePolicy != nil {
			failure = w.FailurePolicy
		}
	}
	if failure != nil {
		out.failurePolicy = string(*failure)
	}
	if t := spec.GetWebhookTimeoutSeconds(); t != nil {
		out.timeout = *t
	}
	return out, nil
}

// actionsOf reads the failure action and its overrides by namespace, of which the first that fits counts.
func actionsOf(spec *kyvernov1.Spec, r *kyvernov1.Rule, s *selection) ([]action, error) {
	name, overrides := string(spec.ValidationFailureAction), spec.ValidationFailureActionOverrides
	if v := r.Validation; v.FailureAction != nil {
		name, overrides = string(*v.FailureAction), nil
	}
	if len(r.Validation.FailureActionOverrides) > 0 {
		overrides = r.Validation.FailureActionOverrides
	}
	enforced := expression{op: never}
	if strings.EqualFold(name, "enforce") {
		enforced = expression{op: always}
	}
	audited := not(enforced)
	for _, o := range slices.Backward(overrides) {
		here := expression{op: always}
		if len(o.Namespaces) > 0 {
			here = anyOf(`request.?namespace.orValue("")`, o.Namespaces)
		}
		if o.NamespaceSelector != nil {
			labelled, err := s.namespaceTest(o.NamespaceSelector)
			if err != nil {
				return nil, under(err, "validate", "failureActionOverrides")
			}
			here = and(here, labelled)
		}
		if strings.EqualFold(string(o.Action), "enforce") {
			enforced, audited = or(here, enforced), and(not(here), audited)
		} else {
			enforced, audited = and(not(here), enforced), or(here, audited)
		}
	}
	var out []action
	if enforced.op != never {
		out = append(out, action{enforce: true, where: enforced})
	}
	if audited.op != never {
		out = append(out, action{warn: spec.EmitWarning != nil && *spec.EmitWarning, where: audited})
	}
	return out, nil
}

// document writes the policy for one of the actions.
func (d *draft) document(h header, s settings, a action) fields {
	var doc, spec fields
	doc.add("apiVersion", "policies.kyverno.io/v1")
	doc.add("kind", h.kind)
	doc.add("metadata", h.metadata(d.name+s.suffix(a)))
	spec.add("validationActions", a.words())
	spec.add("failurePolicy", s.failurePolicy)
	if s.timeout > 0 {
		spec.add("webhookConfiguration", fields{{"timeoutSeconds", int(s.timeout)}})
	}
	var evaluation fields
	if !s.admission {
		evaluation.add("admission", fields{{"enabled", false}})
	}
	if !s.background {
		evaluation.add("background", fields{{"enabled", false}})
	}
	spec.add("evaluation", evaluation)
	if d.autogen != nil {
		spec = append(spec, pair{"autogen", fields{{"podControllers", fields{{"controllers", texts(d.autogen)}}}}})
	}
	var rules []any
	for _, r := range d.selection.rules {
		rules = append(rules, fields{
			{"apiGroups", texts(r.groups)}, {"apiVersions", texts(r.versions)}, {"operations", texts(r.operations)}, {"resources", texts(r.resources)},
		})
	}
	spec.add("matchConstraints", fields{{"resourceRules", rules}})
	var conditions []any
	all := d.selection.conditions
	if a.where.op != always {
		all = append(slices.Clone(all), condition{"failure-action", a.where})
	}
	all = slices.Concat(all, d.conditions)
	if a.enforce && d.existing.name != "" {
		all = append(all, d.existing)
	}
	for _, c := range all {
		conditions = append(conditions, fields{{"name", c.name}, {"expression", c.test.Lines()}})
	}
	spec.add("matchConditions", conditions)
	spec.add("variables", d.variables)
	spec.add("validations", d.validations)
	spec.add("auditAnnotations", d.annotations)
	doc.add("spec", spec)
	return doc
}

// validation writes one entry of validations; inCEL is the message as an expression, or empty.
func validation(test expression, message, inCEL string) fields {
	var out fields
	out.add("message", message)
	out.add("messageExpression", inCEL)
	out.add("expression", test.Lines())
	return out
}

// name makes the name of an object of the words.
func name(words ...string) string {
	text := strings.ToLower(strings.Join(words, "-"))
	text = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			return c
		}
		return '-'
	}, text)
	const longest = 253
	return strings.Trim(text[:min(len(text), longest)], "-.")
}

var allOperations = []string{
	string(admissionregistrationv1.Create), string(admissionregistrationv1.Update), string(admissionregistrationv1.Delete), string(admissionregistrationv1.Connect),
}
