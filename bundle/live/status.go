package live

import (
	"encoding/json"
	"fmt"
	"reflect"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/engine"
)

// verdict is what a policy's status is to say of it.
type verdict struct {
	ready   bool
	message string
	// inForce is the source of the version that the status describes, nil for none.
	inForce kyvernov1.PolicyInterface
}

// readyMessage is the one that Kyverno writes, so that two that agree do not overwrite one another.
const readyMessage = "Ready"

// judge says what the status of a policy is to be. Of a version that is served already and whose webhook
// configuration is still on its way, nothing can be said yet.
func (s *Source) judge(k key, e *entry) (v verdict, known bool) {
	if e.counts() {
		v.inForce = e.good.Source
	}
	if e.state() != InForce {
		v.message = e.message(k)
		return v, true
	}
	if s.applied[k.String()] != e.good.Policy.Digest {
		v.message = "the webhook configurations do not have this version yet"
		return v, false
	}
	v.ready, v.message = true, readyMessage
	if remarks := e.message(k); remarks != "" {
		v.message += ", with remarks: " + remarks
	}
	return v, true
}

// status gives the status that the object is to have, in the place of the one that it has, and whether they
// differ. What others write into it, such as conditions of theirs, stays.
func (v *verdict) status(u *unstructured.Unstructured) (out map[string]any, differs bool, err error) {
	var before, after kyvernov1.PolicyStatus
	raw, err := json.Marshal(u.Object["status"])
	if err != nil {
		return nil, false, fmt.Errorf("reading the status: %w", err)
	}
	for _, into := range []*kyvernov1.PolicyStatus{&before, &after} {
		if json.Unmarshal(raw, into) != nil {
			*into = kyvernov1.PolicyStatus{} // not a status: it gets one
		}
	}
	after.SetReady(v.ready, v.message)
	for i := range after.Conditions {
		if c := &after.Conditions[i]; c.Type == kyvernov1.PolicyConditionReady {
			c.ObservedGeneration = u.GetGeneration()
		}
	}
	after.Autogen, after.RuleCount = kyvernov1.AutogenStatus{}, kyvernov1.RuleCountStatus{}
	if v.inForce != nil {
		if after.Autogen.Rules, err = engine.AutogenRules(v.inForce); err != nil {
			return nil, false, fmt.Errorf("generating rules for pod controllers: %w", err)
		}
		after.RuleCount = count(v.inForce.GetSpec().Rules)
	}
	if out, err = asJSON(&after); err != nil {
		return nil, false, err
	}
	was, err := asJSON(&before)
	if err != nil {
		return nil, false, err
	}
	return out, u.Object["status"] == nil || !reflect.DeepEqual(was, out), nil
}

// count counts the rules as written by what they do.
func count(rules []kyvernov1.Rule) (n kyvernov1.RuleCountStatus) {
	for i := range rules {
		r := &rules[i]
		if r.HasValidate() {
			n.Validate++
		}
		if r.HasMutate() {
			n.Mutate++
		}
		if r.HasGenerate() {
			n.Generate++
		}
		if r.HasVerifyImages() {
			n.VerifyImages++
		}
	}
	return n
}

func asJSON(s *kyvernov1.PolicyStatus) (map[string]any, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing the status: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("writing the status: %w", err)
	}
	return out, nil
}

// onlyGeneration reports whether two statuses differ in nothing but the generation that was seen. Kyverno's
// controller does not write it, and takes it away.
func onlyGeneration(u *unstructured.Unstructured, wanted map[string]any) bool {
	var a, b kyvernov1.PolicyStatus
	for _, part := range []struct {
		from any
		to   *kyvernov1.PolicyStatus
	}{{u.Object["status"], &a}, {wanted, &b}} {
		raw, err := json.Marshal(part.from)
		if err != nil || json.Unmarshal(raw, part.to) != nil {
			return false
		}
		for i := range part.to.Conditions {
			part.to.Conditions[i].ObservedGeneration = 0
			part.to.Conditions[i].LastTransitionTime = metav1.Time{}
		}
	}
	return reflect.DeepEqual(a, b)
}
