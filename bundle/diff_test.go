package bundle

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	two := strings.Replace(sound, "    - name: first", "    - &first\n      name: first", 1) + "    - <<: *first\n      name: second\n"
	for name, tc := range map[string]struct {
		from, to string
		want     string
	}{
		"the same text":             {sound, sound, `null`},
		"comments and order":        {sound, "# c\n" + sound, `null`},
		"what tools write":          {sound, strings.Replace(sound, "  name: sound", "  name: sound\n  labels: {a: b}\n  annotations: {x/y: z}", 1), `null`},
		"a policy more":             {"", sound, `[{"policy":"ClusterPolicy/sound","change":"added"}]`},
		"a policy less":             {sound, "", `[{"policy":"ClusterPolicy/sound","change":"removed"}]`},
		"another name":              {sound, strings.Replace(sound, "sound", "sane", 1), `[{"policy":"ClusterPolicy/sane","change":"added"},{"policy":"ClusterPolicy/sound","change":"removed"}]`},
		"a rule more":               {sound, two, `[{"policy":"ClusterPolicy/sound","change":"changed","rules":[{"rule":"second","change":"added"}]}]`},
		"a rule less":               {two, sound, `[{"policy":"ClusterPolicy/sound","change":"changed","rules":[{"rule":"second","change":"removed"}]}]`},
		"a field of a rule appears": {sound, strings.Replace(sound, "message: denied", "message: denied\n        failureAction: Enforce", 1), `[{"policy":"ClusterPolicy/sound","change":"changed","rules":[{"rule":"first","change":"changed","fields":[{"path":"validate.failureAction","new":"Enforce"}]}]}]`},
		"a value of a list":         {sound, strings.Replace(sound, "[Pod]", "[Service]", 1), `[{"policy":"ClusterPolicy/sound","change":"changed","rules":[{"rule":"first","change":"changed","fields":[{"path":"match.any[0].resources.kinds[0]","old":"Pod","new":"Service"}]}]}]`},
		"a longer list":             {sound, strings.Replace(sound, "[Pod]", "[Service, Pod]", 1), `[{"policy":"ClusterPolicy/sound","change":"changed","rules":[{"rule":"first","change":"changed","fields":[{"path":"match.any[0].resources.kinds","old":["Pod"],"new":["Service","Pod"]}]}]}]`},
		"a field of the policy":     {sound, strings.Replace(sound, "spec:\n", "spec:\n  background: false\n", 1), `[{"policy":"ClusterPolicy/sound","change":"changed","fields":[{"path":"spec.background","new":false}]}]`},
		"an annotation that counts": {sound, strings.Replace(sound, "  name: sound", "  name: sound\n  annotations: {policies.kyverno.io/severity: high}", 1), `[{"policy":"ClusterPolicy/sound","change":"changed","fields":[{"path":"metadata.annotations.policies.kyverno.io/severity","new":"high"}]}]`},
		"the order of rules":        {two, strings.Replace(strings.Replace(strings.Replace(two, "name: first", "name: x", 1), "name: second", "name: first", 1), "name: x", "name: second", 1), `[{"policy":"ClusterPolicy/sound","change":"changed","fields":[{"path":"order of spec.rules","old":["first","second"],"new":["second","first"]}]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			var sums [2]*Summary
			for i, text := range []string{tc.from, tc.to} {
				_, sum, problems, err := load(map[string]string{"p.yaml": text})
				if err != nil || problems != nil {
					t.Fatal(err, problems)
				}
				sums[i] = sum
			}
			raw, err := json.Marshal(Diff(sums[0], sums[1]))
			if err != nil {
				t.Fatal(err)
			}
			if string(raw) != tc.want {
				t.Errorf("got\n%s\nwant\n%s", raw, tc.want)
			}
		})
	}
}
