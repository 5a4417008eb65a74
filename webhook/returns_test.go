package webhook

import (
	"testing"

	"github.com/holdfast-io/holdfast/engine"
)

// What is taken back is what rules are against: such an update is let pass, unchanged, and nothing else is.
func TestWhatIsTakenBackIsLetPass(t *testing.T) {
	returns := func(o *Options) {
		o.Returns = func(req *engine.Request) bool {
			return req.User != nil && req.User.Username == "holdfast" && req.Options["fieldManager"] == "back"
		}
	}
	write := func(operation, user, manager string) obj {
		out := obj{
			"operation": operation, "userInfo": obj{"username": user},
			"options": obj{"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": manager},
		}
		if operation != "CREATE" {
			out["oldObject"] = pod("web", obj{"team": "a"})
		}
		return out
	}
	for name, test := range map[string]struct {
		options func(*Options)
		write   obj
		allowed bool
	}{
		"what we take back":             {returns, write("UPDATE", "holdfast", "back"), true},
		"another update of ours":        {returns, write("UPDATE", "holdfast", "holdfast"), false},
		"somebody else with our name":   {returns, write("UPDATE", "alice", "back"), false},
		"an object that we create":      {returns, write("CREATE", "holdfast", "back"), false},
		"where nobody knows who we are": {func(*Options) {}, write("UPDATE", "holdfast", "back"), false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, requireTeam+and+addTeam, test.options)
			if resp := d.ask(t, "/validate", reviewOf(test.write)); resp.Allowed != test.allowed {
				t.Errorf("allowed: %t, want %t", resp.Allowed, test.allowed)
			}
			resp := d.ask(t, "/mutate", reviewOf(test.write))
			if changed := resp.Patch != nil; changed == test.allowed || !resp.Allowed {
				t.Errorf("changed: %t, want %t", changed, !test.allowed)
			}
			operation := test.write["operation"].(string)
			want := 0.0
			if test.allowed {
				want = 1
			}
			if got := d.metric(t, "holdfast_admission_requests_total{decision=spared,kind=Pod,operation="+operation+",webhook=validate}"); got != want {
				t.Errorf("spared is counted as %v, want %v", got, want)
			}
		})
	}
}
