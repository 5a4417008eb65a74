package engine

import (
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
)

// AutogenRules gives the rules that are made from the policy's own for pod controllers, in the policy
// language: what a policy's status shows of them. The policy must be one that compiles.
func AutogenRules(src kyvernov1.PolicyInterface) ([]kyvernov1.Rule, error) {
	generated, err := autogen(src)
	if err != nil {
		return nil, err
	}
	rules := make([]kyvernov1.Rule, len(generated))
	for i := range generated {
		rules[i] = *generated[i].rule
	}
	return rules, nil
}
