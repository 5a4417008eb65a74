package webhook

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
)

// crew are replicas that a test lets come and go.
type crew struct {
	mu      sync.Mutex
	missing string
	changed chan struct{}
}

func newCrew(missing string) *crew { return &crew{missing: missing, changed: make(chan struct{}, 1)} }

func (c *crew) Missing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missing
}

func (c *crew) Changed() <-chan struct{} { return c.changed }

func (c *crew) set(missing string) {
	c.mu.Lock()
	c.missing = missing
	c.mu.Unlock()
	signal(c.changed)
	synctest.Wait()
}

func with(c *crew) func(*RegistrarOptions) {
	return func(o *RegistrarOptions) { o.Replicas = c }
}

// failurePolicies are those of all entries, in their order.
func (o *office) failurePolicies(t *testing.T) string {
	t.Helper()
	var out []string
	if v := o.validating(t); v != nil {
		for i := range v.Webhooks {
			out = append(out, string(*v.Webhooks[i].FailurePolicy))
		}
	}
	if m := o.mutating(t); m != nil {
		for i := range m.Webhooks {
			out = append(out, string(*m.Webhooks[i].FailurePolicy))
		}
	}
	return strings.Join(out, " ")
}

const oneOfTwo = "1 of 2 are ready"

// strict is requireTeam and a mutation, both with failurePolicy Fail, beside one that ignores failures.
var strict = requireTeam + and + denyLatest + and + strings.Replace(addTeam, "failurePolicy: Ignore", "failurePolicy: Fail", 1)

func TestFailIsSwitchedOnOnceAllAreReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(oneOfTwo)
		o := open(t, fake.NewClientset(), strict, with(c))
		if got := o.failurePolicies(t); got != "Ignore Ignore Ignore" {
			t.Errorf("with a replica missing: %s", got)
		}
		if got := o.FailNotYetOn(); got != oneOfTwo {
			t.Errorf("it is not yet on, because %q", got)
		}
		if got := gathered(t, o.metrics)["holdfast_webhook_fail_not_yet_on{}"]; got != 2 {
			t.Errorf("%v entries are told of, want 2", got)
		}
		select {
		case <-o.Ready():
		default:
			t.Error("no replica would ever be ready: each waits for the others")
		}
		c.set("")
		if got := o.failurePolicies(t); got != "Fail Ignore Fail" {
			t.Errorf("with all ready: %s", got)
		}
		if got := o.FailNotYetOn(); got != "" {
			t.Errorf("it is not on, because %q", got)
		}
		if got := gathered(t, o.metrics)["holdfast_webhook_fail_not_yet_on{}"]; got != 0 {
			t.Errorf("%v entries are told of, want none", got)
		}
		c.set(oneOfTwo)
		o.Poke()
		synctest.Wait()
		if got := o.failurePolicies(t); got != "Fail Ignore Fail" {
			t.Errorf("a replica restarts, and the door opens: %s", got)
		}
		o.stop()
		for _, want := range []string{
			`level=WARN msg="policies with failurePolicy Fail do not refuse writes on failure until every replica is ready" missing="1 of 2 are ready"`,
			`level=INFO msg="policies with failurePolicy Fail refuse writes on failure from now on"`,
		} {
			if strings.Count(o.log.String(), want) != 1 {
				t.Errorf("not once in the log: %s\n%s", want, o.log)
			}
		}
	})
}

func TestFailStaysOnWhenAReplicaStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		open(t, client, strict, with(newCrew(""))).stop()
		o := open(t, client, strict, with(newCrew(oneOfTwo)))
		if got := o.failurePolicies(t); got != "Fail Ignore Fail" {
			t.Errorf("got %s", got)
		}
		if got := o.FailNotYetOn(); got != "" {
			t.Errorf("it is not on, because %q", got)
		}
		o.wrote(t, map[string]float64{})
	})
}

func TestAGuardRefusesFromTheStartAndSwitchesNothingOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guarded := func(o *RegistrarOptions) {
			with(newCrew(oneOfTwo))(o)
			o.Guards = []Guard{{Name: "settings", Path: "/settings", Resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, Condition: "true"}}
		}
		client := fake.NewClientset()
		open(t, client, strict, guarded).stop()
		o := open(t, client, strict, guarded)
		if got := o.failurePolicies(t); got != "Ignore Ignore Ignore Fail" {
			t.Errorf("got %s", got)
		}
		if got := o.FailNotYetOn(); got != oneOfTwo {
			t.Errorf("it is not yet on, because %q", got)
		}
	})
}

func TestWhoOpensTheDoorByHandStartsOver(t *testing.T) {
	for name, by := range map[string]func(t *testing.T, o *office){
		"failures are ignored": func(t *testing.T, o *office) {
			v, m := o.validating(t), o.mutating(t)
			v.Webhooks[0].FailurePolicy = ptr(admissionregistrationv1.Ignore)
			m.Webhooks[0].FailurePolicy = ptr(admissionregistrationv1.Ignore)
			_, err := o.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(t.Context(), v, metav1.UpdateOptions{})
			check(t, err)
			_, err = o.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Update(t.Context(), m, metav1.UpdateOptions{})
			check(t, err)
		},
		"the configurations are deleted": func(t *testing.T, o *office) {
			check(t, o.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(t.Context(), "holdfast", metav1.DeleteOptions{}))
			check(t, o.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(t.Context(), "holdfast", metav1.DeleteOptions{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				before := open(t, client, strict, with(newCrew("")))
				before.stop()
				by(t, before)
				c := newCrew(oneOfTwo)
				o := open(t, client, strict, with(c))
				if got := o.failurePolicies(t); got != "Ignore Ignore Ignore" {
					t.Errorf("before all are back: %s", got)
				}
				c.set("")
				if got := o.failurePolicies(t); got != "Fail Ignore Fail" {
					t.Errorf("when all are back: %s", got)
				}
			})
		})
	}
}

// A replica that has seen all ready is believed by one that has not.
func TestNoReplicaUndoesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		late := open(t, client, strict, with(newCrew(oneOfTwo)))
		open(t, client, strict, with(newCrew("")))
		late.Poke()
		synctest.Wait()
		if got := late.failurePolicies(t); got != "Fail Ignore Fail" {
			t.Errorf("got %s", got)
		}
	})
}
