package live

import (
	"encoding/json"
	"fmt"
	"strings"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// policyStatus is the status of a policy in CEL. Which of its parts are there depends on the kind.
type policyStatus struct {
	ConditionStatus policiesv1beta1.ConditionStatus `json:"conditionStatus"`
	// Autogen is that of policies which are made for pod controllers, Generated that of ValidatingPolicies and
	// MutatingPolicies alone. We generate no policies of the API server.
	Autogen   *autogenStatus `json:"autogen,omitempty"`
	Generated *bool          `json:"generated,omitempty"`
}

// autogenStatus holds what is made of a policy for pod controllers, by the names of their groups.
type autogenStatus struct {
	Configs map[string]any `json:"configs,omitempty"`
}

// webhookMessage is the one that Kyverno writes, so that two that agree do not overwrite one another.
const webhookMessage = "Webhook configured."

// celStatus is that of policies.kyverno.io.
func (v *verdict) celStatus(k key, u *unstructured.Unstructured) (map[string]any, error) {
	var after policyStatus
	readStatus(u.Object["status"], &after)
	c := &after.ConditionStatus
	ready := v.ready
	// What is well needs no message; what is not is told once more beside the conditions, where people look first.
	c.Ready, c.Message = &ready, strings.TrimPrefix(strings.TrimPrefix(v.message, readyMessage), ", ")
	set := func(name policiesv1beta1.PolicyConditionType, ok bool, message string) {
		condition := metav1.Condition{Type: string(name), Status: metav1.ConditionTrue, Reason: "Succeeded", Message: message, ObservedGeneration: u.GetGeneration()}
		if !ok {
			condition.Status, condition.Reason = metav1.ConditionFalse, "Failed"
		}
		meta.SetStatusCondition(&c.Conditions, condition)
	}
	configured := strings.HasPrefix(v.message, readyMessage)
	switch {
	case v.inForce != nil && !v.inForce.Policy.Admission:
		meta.RemoveStatusCondition(&c.Conditions, string(policiesv1beta1.PolicyConditionTypeWebhookConfigured)) // it needs none
	case configured:
		set(policiesv1beta1.PolicyConditionTypeWebhookConfigured, true, webhookMessage)
	default:
		set(policiesv1beta1.PolicyConditionTypeWebhookConfigured, false, v.message)
	}
	if v.rights.message == "" {
		meta.RemoveStatusCondition(&c.Conditions, string(policiesv1beta1.PolicyConditionTypeRBACPermissionsGranted))
	} else {
		set(policiesv1beta1.PolicyConditionTypeRBACPermissionsGranted, v.rights.missing == "", v.rights.message)
		switch {
		case c.Message != "":
		case v.rights.missing != "":
			c.Message = v.rights.message
		default:
			c.Message = v.rights.note
		}
	}
	after.Autogen, after.Generated = nil, nil
	if kind := strings.TrimPrefix(k.kind, "Namespaced"); kind != "GeneratingPolicy" {
		configs, err := autogenOf(v.inForce)
		if err != nil {
			return nil, fmt.Errorf("generating policies for pod controllers: %w", err)
		}
		after.Autogen = &autogenStatus{Configs: configs}
		if kind != "ImageValidatingPolicy" {
			after.Generated = new(bool)
		}
	}
	return asJSON(&after)
}

// autogenOf gives what is made of a policy for pod controllers, as JSON values.
func autogenOf(o *bundle.Object) (map[string]any, error) {
	if o == nil {
		return nil, nil
	}
	var configs any
	var err error
	switch o.Policy.Kind {
	case "ValidatingPolicy":
		configs, err = autogenFrom(o.Document, func(src *policiesv1beta1.ValidatingPolicy) (any, error) { return engine.ValidatingAutogen(src) })
	case "MutatingPolicy":
		configs, err = autogenFrom(o.Document, func(src *policiesv1beta1.MutatingPolicy) (any, error) { return engine.MutatingAutogen(src), nil })
	case "NamespacedMutatingPolicy":
		configs, err = autogenFrom(o.Document, func(src *policiesv1beta1.NamespacedMutatingPolicy) (any, error) {
			return engine.MutatingAutogen(src), nil
		})
	case "ImageValidatingPolicy":
		configs, err = autogenFrom(o.Document, func(src *policiesv1beta1.ImageValidatingPolicy) (any, error) {
			return engine.ImageValidatingAutogen(src)
		})
	case "NamespacedImageValidatingPolicy":
		configs, err = autogenFrom(o.Document, func(src *policiesv1beta1.NamespacedImageValidatingPolicy) (any, error) {
			return engine.ImageValidatingAutogen(src)
		})
	case "NamespacedValidatingPolicy":
		configs, err = autogenFrom(o.Document, func(src *policiesv1beta1.NamespacedValidatingPolicy) (any, error) {
			return engine.ValidatingAutogen(src)
		})
	}
	if err != nil || configs == nil {
		return nil, err
	}
	return asJSON(configs)
}

// autogenFrom reads the policy as its type has it.
func autogenFrom[T any](document map[string]any, autogen func(*T) (any, error)) (any, error) {
	raw, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	src := new(T)
	if err := json.Unmarshal(raw, src); err != nil {
		return nil, err
	}
	return autogen(src)
}
