package sarif

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// TestLogsAreOfThePublishedSchema holds the golden logs of all who write some to the schema of SARIF 2.1.0, as a library has
// it.
func TestLogsAreOfThePublishedSchema(t *testing.T) {
	for _, path := range []string{"../testdata/sarif.json", "../testdata/sarif-baseline.json", "../../clitest/testdata/sarif.json"} {
		t.Run(path, func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.DisallowUnknownFields() // the schema has all that the library knows, and allows nothing else
			var log sarif.Report
			if err := dec.Decode(&log); err != nil {
				t.Fatal(err)
			}
			if err := log.Validate(); err != nil {
				t.Error(err)
			}
			if len(log.Runs) != 1 || len(log.Runs[0].Results) == 0 {
				t.Errorf("got %d runs, want one with results", len(log.Runs))
			}
			for i, r := range log.Runs[0].Results {
				if rule := log.Runs[0].Tool.Driver.Rules[r.RuleIndex]; *rule.ID != *r.RuleID {
					t.Errorf("result %d is of %s, and its index leads to %s", i, *r.RuleID, *rule.ID)
				}
			}
		})
	}
}

func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	run := NewRun("", nil)
	run.Results = []Result{{Level: "grave", Locations: []Location{}, Fingerprints: map[string]string{}}}
	var b bytes.Buffer
	if err := Write(&b, run); err != nil {
		t.Fatal(err)
	}
	log, err := sarif.FromBytes(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Validate(); err == nil {
		t.Error("a level that there is not is taken: the schema is not looked at")
	}
}

func TestURI(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.yaml": "a/b.yaml", "a b.yaml": "a%20b.yaml", "a:b.yaml": "./a:b.yaml", "/a/ä.yaml": "file:///a/%C3%A4.yaml", "stdin": "stdin",
	} {
		if got := URI(path); got != want {
			t.Errorf("URI(%q) = %q, want %q", path, got, want)
		}
	}
}
