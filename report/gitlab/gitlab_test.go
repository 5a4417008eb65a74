package gitlab

import (
	"bytes"
	"testing"
)

func TestWrite(t *testing.T) {
	for name, tc := range map[string]struct {
		in   []Issue
		want string
	}{
		"nothing is an empty list": {nil, "[]\n"},
		"an issue": {[]Issue{{"no <b>", "p/r", "7a", Major, At("./a/b.yaml", 0)}}, `[
  {
    "description": "no <b>",
    "check_name": "p/r",
    "fingerprint": "7a",
    "severity": "major",
    "location": {
      "path": "a/b.yaml",
      "lines": {
        "begin": 1
      }
    }
  }
]
`},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, tc.in); err != nil {
				t.Fatal(err)
			}
			if b.String() != tc.want {
				t.Errorf("got\n%s\nwant\n%s", b.String(), tc.want)
			}
		})
	}
}
