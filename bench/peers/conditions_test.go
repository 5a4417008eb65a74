package peers

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/go-logr/logr"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	peer "github.com/kyverno/kyverno/pkg/engine/variables/operator"

	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// operands are the keys and values of conditions.
var operands = list{
	nil, true, false,
	0.0, 1.0, -1.0, 5.0, 10.0, 3600.0, 1.5, 0.5, 1024.0, 8080.0, 1234567.5,
	"", "0", "1", "5", "10", "1.5", "5.0", "-3", "1e3", "8080", "true", "null",
	"nginx", "nginx:latest", "*:latest", "nginx*", "*", "?", "?*", "1*", "kube-system", "kube-*",
	"1h", "60m", "3600s", "30m", "0s", "1h30m", "1ms", "5m", "-1h",
	"1Ki", "1024", "1Gi", "1024Mi", "100m", "0.1", "1Ei",
	"1.5.2", "1.5.10", "1.5.*", "1.27.3-rc.1", "v1.2.3", "1.0.0",
	"1-10", "5-10", "1Mi-1Gi", "1m-2h", "a-b", "1!-10",
	`["a","b"]`, `["nginx","kube-*"]`, `[]`, `{"a":1}`, "a", "b",
	list{}, list{"a"}, list{"a", "b"}, list{"a", "c"}, list{"nginx"}, list{"nginx*", "kube-*"}, list{"kube-system", "nginx"},
	list{1.0, 5.0}, list{5.0}, list{true}, list{"1", "5"}, list{"*"}, list{"5m", "1h"}, list{"abc", "5"}, list{"8080"},
	object{}, object{"a": 1.0}, object{"a": "b"}, object{"a": list{"b"}},
}

var operators = []string{
	"Equals", "NotEquals", "AnyIn", "AllIn", "AnyNotIn", "AllNotIn", "In", "NotIn",
	"GreaterThan", "GreaterThanOrEquals", "LessThan", "LessThanOrEquals",
	"DurationGreaterThan", "DurationGreaterThanOrEquals", "DurationLessThan", "DurationLessThanOrEquals",
}

// Every two operands by every operator. engine/condition/DIFFERENCES.md has the reasons at length.
func TestConditions(t *testing.T) {
	b := open(conditionDifferences)
	functions := expr.NewFunctions()
	env := func(key, value any) *expr.Env {
		return &expr.Env{Root: object{"k": key, "v": value}, Functions: functions}
	}
	for _, operator := range operators {
		compiled, err := condition.Compile(list{object{"key": "{{ k }}", "operator": operator, "value": "{{ v }}"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range operands {
			for _, value := range operands {
				b.enter(t, &pair{
					subject: operator, args: []any{key, value},
					theirs: guarded(func() (any, error) {
						return peer.CreateOperatorHandler(logr.Discard(), nil, kyvernov1.ConditionOperator(operator)).Evaluate(key, value), nil
					}),
					ours: guarded(func() (any, error) {
						res, err := compiled.Evaluate(env(key, value))
						return res.Met, err
					}),
				})
			}
		}
	}
	b.close(t)
}

// span is a range of numbers, quantities or durations.
var span = regexp.MustCompile(`^[0-9]+[a-zA-Z]*!?-[0-9]+[a-zA-Z]*$`)

// memberships are the operators that look for a key in a list.
var memberships = []string{"AnyIn", "AllIn", "AnyNotIn", "AllNotIn"}

// conditionDifferences is where operators part from Kyverno 1.19's. What its numbers as integers, overflows and
// texts like M make of it stands in the other table.
var conditionDifferences = []difference{
	{
		subjects: memberships,
		when: func(p *pair) bool {
			switch p.args[1].(type) {
			case float64, bool:
				return true
			}
			return false
		},
		why: "A number or a boolean stands for a list of one; with the peer both an operator and its negation are false, so that AnyNotIn: 8080 never denies.",
	},
	{
		subjects: memberships,
		when: func(p *pair) bool {
			text, ok := p.args[1].(string)
			if !ok || !json.Valid([]byte(text)) {
				return false
			}
			var items []string
			return json.Unmarshal([]byte(text), &items) != nil || items == nil
		},
		why: "A text that is JSON and no list of texts is itself, as any other text; with the peer both an operator and its negation are false.",
	},
	{
		subjects: []string{"AnyNotIn"},
		when: func(p *pair) bool {
			text, _ := p.args[1].(string)
			_, isList := p.args[0].([]any)
			return isList && span.MatchString(text) && p.ours.value == true
		},
		why: "Some item is not in the range: what has no order is not in it. The peer rewrites the range, and such items are neither in nor out.",
	},
	{
		subjects: []string{"NotIn"},
		when: func(p *pair) bool {
			items, ok := p.args[0].([]any)
			return ok && len(items) == 1 && items[0] == p.args[1] && p.ours.value == false
		},
		why: "The list of one text is in that text.",
	},
}
