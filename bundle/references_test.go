package bundle

import (
	"slices"
	"strings"
	"testing"
)

func TestNamesThatLeadNowhere(t *testing.T) {
	reading := func(name string) string {
		return spoil(t, "      validate:", "      context: [{name: v, globalReference: {name: "+name+"}}]\n      validate:")
	}
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"none does":                  {sound + "---\n" + plainException + "---\n" + plainEntry, nil},
		"a policy":                   {sound + "---\n" + strings.Replace(plainException, "sound", "soundd", 1), []string{`p.yaml:25:7: PolicyException/ns/x: spec.exceptions[0].policyName: the bundle has no policy "soundd": did you mean sound?`}},
		"a rule":                     {sound + "---\n" + strings.Replace(plainException, "[first]", "['autogen-*', frist, none-*]", 1), []string{`p.yaml:26:32: PolicyException/ns/x: spec.exceptions[0].ruleNames[1]: policy sound has no rule "frist": did you mean first?`}},
		"an entry":                   {reading("pod") + "---\n" + plainEntry, []string{`p.yaml:12:45: ClusterPolicy/sound: spec.rules[0].context[0].globalReference.name: the bundle has no GlobalContextEntry "pod": did you mean pods?`}},
		"a projection that is there": {reading("pods.count") + "---\n" + plainEntry, nil},
		"a projection":               {reading("pods.size") + "---\n" + plainEntry, []string{`p.yaml:12:45: ClusterPolicy/sound: spec.rules[0].context[0].globalReference.name: GlobalContextEntry pods has no projection "size"`}},
		"a name that is known only when it is read": {reading("'{{ request.namespace }}'"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, sum, problems, err := load(map[string]string{"p.yaml": tc.text})
			if err != nil || problems != nil {
				t.Fatal(err, problems)
			}
			var got []string
			for _, w := range sum.Warnings {
				got = append(got, strings.TrimPrefix(w.String(), "b/"))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}
