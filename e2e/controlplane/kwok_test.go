package controlplane

import (
	"slices"
	"strings"
	"testing"

	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/yaml"
)

func TestKwokStagesLeaveFailingPodsToOneStage(t *testing.T) {
	data, err := kwokStages()
	if err != nil {
		t.Fatal(err)
	}
	type expression struct {
		Key, Operator string
		Values        []string
	}
	operators := map[string]string{}
	for doc := range strings.SplitSeq(string(data), "\n---\n") {
		var stage struct {
			Metadata struct{ Name string }
			Spec     struct {
				Selector struct{ MatchExpressions []expression }
				Next     map[string]any
			}
		}
		if err := yaml.Unmarshal([]byte(doc), &stage); err != nil {
			t.Fatal(err)
		}
		if len(stage.Spec.Next) == 0 {
			t.Errorf("stage %s leads nowhere", stage.Metadata.Name)
		}
		operators[stage.Metadata.Name] = ""
		for _, e := range stage.Spec.Selector.MatchExpressions {
			if e.Key == `.metadata.annotations["`+FailAnnotation+`"]` && slices.Equal(e.Values, []string{"true"}) {
				operators[stage.Metadata.Name] = e.Operator
			}
		}
	}
	want := map[string]string{"node-initialize": "", "pod-ready": "NotIn", "pod-complete": "NotIn", "pod-delete": "", "pod-fail": "In", "pod-recover": "NotIn"}
	if len(operators) != len(want) {
		t.Errorf("stages %v, want %v", operators, want)
	}
	for name, operator := range want {
		if operators[name] != operator {
			t.Errorf("stage %s selects the annotation by %q, want %q", name, operators[name], operator)
		}
	}
}

func TestStageOfKwokMustHaveASelector(t *testing.T) {
	for name, tc := range map[string]struct{ stage, want string }{
		"no selector": {"metadata: {name: odd}\nspec: {}", "read stage odd of kwok: it has no spec.selector.matchExpressions"},
		"no YAML":     {"\t", "read a stage of kwok: "},
		"as shipped":  {podfast.DefaultPodReady, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := withoutFailing(tc.stage)
			if (err != nil) != (tc.want != "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
