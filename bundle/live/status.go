package live

import (
	"encoding/json"
	"fmt"
	"reflect"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// verdict is what a policy's status is to say of it.
type verdict struct {
	ready   bool
	message string
	// inForce is the version that the status describes, nil for none.
	inForce *bundle.Object
	// rights is about what the policy needs of ours, of a policy in CEL.
	rights rights
}

// readyMessage is the one that Kyverno writes, so that two that agree do not overwrite one another.
const readyMessage = "Ready"

// judge says what the status of a policy is to be. Of a version that is served already and whose webhook
// configuration is still on its way, nothing can be said yet.
func (s *Source) judge(k key, e *entry) (v verdict, known bool) {
	if e.counts() {
		v.inForce = e.good
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
func (v *verdict) status(k key, u *unstructured.Unstructured) (out map[string]any, differs bool, err error) {
	was, err := normalStatus(k, u.Object["status"])
	if err != nil {
		return nil, false, err
	}
	if statusOf(k.kind) == celStatus {
		out, err = v.celStatus(k, u)
	} else {
		out, err = v.readyStatus(u)
	}
	return out, u.Object["status"] == nil || !reflect.DeepEqual(was, out), err
}

// normalStatus writes a status as its type has it.
func normalStatus(k key, status any) (map[string]any, error) {
	var into any = &kyvernov1.PolicyStatus{}
	if statusOf(k.kind) == celStatus {
		into = &policyStatus{}
	}
	readStatus(status, into)
	return asJSON(into)
}

// readStatus reads what there is. What is no status is left as it was.
func readStatus(status any, into any) {
	if raw, err := json.Marshal(status); err == nil {
		_ = json.Unmarshal(raw, into) // it gets one
	}
}

// readyStatus is that of kyverno.io.
func (v *verdict) readyStatus(u *unstructured.Unstructured) (map[string]any, error) {
	var after kyvernov1.PolicyStatus
	readStatus(u.Object["status"], &after)
	after.SetReady(v.ready, v.message)
	for i := range after.Conditions {
		if c := &after.Conditions[i]; c.Type == kyvernov1.PolicyConditionReady {
			c.ObservedGeneration = u.GetGeneration()
		}
	}
	after.Autogen, after.RuleCount = kyvernov1.AutogenStatus{}, kyvernov1.RuleCountStatus{}
	if v.inForce != nil {
		var err error
		if after.Autogen.Rules, err = engine.AutogenRules(v.inForce.Source); err != nil {
			return nil, fmt.Errorf("generating rules for pod controllers: %w", err)
		}
		after.RuleCount = count(v.inForce.Source.GetSpec().Rules)
	}
	return asJSON(&after)
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

func asJSON(status any) (map[string]any, error) {
	raw, err := json.Marshal(status)
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
func onlyGeneration(k key, u *unstructured.Unstructured, wanted map[string]any) bool {
	was, err := normalStatus(k, u.Object["status"])
	return err == nil && reflect.DeepEqual(timeless(was), timeless(wanted))
}

// timeless is a status without what tells when and of which generation its conditions are.
func timeless(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for k, v := range value {
			if k != "observedGeneration" && k != "lastTransitionTime" {
				out[k] = timeless(v)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, v := range value {
			out[i] = timeless(v)
		}
		return out
	default:
		return value
	}
}
