package chainsaw

import (
	"reflect"
	"testing"
)

func TestWhatIsSaidOfRights(t *testing.T) {
	for name, c := range map[string]struct {
		wanted, rest string
		found        bool
	}{
		"missing, by a selection":     {`{a: {"(c[?type == 'RBACPermissionsGranted'])": [{reason: Failed, status: 'False'}]}}`, `{a: {"(c[?type == 'RBACPermissionsGranted'])": [{type: RBACPermissionsGranted}]}}`, true},
		"missing, in a list":          {`{c: [{type: A, status: 'False'}, {type: RBACPermissionsGranted, reason: Failed}]}`, `{c: [{type: A, status: 'False'}, {type: RBACPermissionsGranted}]}`, true},
		"granted":                     {`{"(c[?type == 'RBACPermissionsGranted'])": [{reason: Succeeded, status: 'True'}]}`, `{"(c[?type == 'RBACPermissionsGranted'])": [{reason: Succeeded, status: 'True'}]}`, false},
		"another condition is failed": {`{"(c[?type == 'WebhookConfigured'])": [{reason: Failed}], d: {reason: Failed}}`, `{"(c[?type == 'WebhookConfigured'])": [{reason: Failed}], d: {reason: Failed}}`, false},
	} {
		rest, found := withoutRights(value(t, c.wanted))
		if want := value(t, c.rest); found != c.found || !reflect.DeepEqual(rest, want) {
			t.Errorf("%s: got %v (%t), want %v (%t)", name, rest, found, want, c.found)
		}
	}
}
