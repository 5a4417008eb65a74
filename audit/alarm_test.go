package audit

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// The clock of these tests begins at midnight, as the year 2000 does.
const (
	expiring = `
apiVersion: policies.kyverno.io/v1
kind: PolicyException
metadata: {name: x, namespace: holdfast}
spec:
  policyRefs: [{name: p, kind: ValidatingPolicy}]
  matchConditions: [{name: a, expression: "object.metadata.name == 'a'"}]
  expiresAt: '2000-01-01T00:10:00Z'
`
	refusing = `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: p}
spec:
  autogen: {podControllers: {controllers: []}}
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "%s", message: refused}]
`
	byTheClock = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: q, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Pod], names: [a]}}]}
    validate: {deny: {conditions: {any: [{key: "{{ time_after(time_now_utc(), '2000-01-01T00:07:00Z') }}", operator: Equals, value: true}]}}}
`
)

// withException puts an exception beside policies.
func withException(t *testing.T, exception string, policies ...string) *engine.Snapshot {
	t.Helper()
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.Unmarshal([]byte(exception), &object); err != nil {
		t.Fatal(err)
	}
	o, problems := bundle.CompileObject(compiler, object)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s, err := engine.Assemble(engine.Contents{Policies: compile(t, policies...).Policies(), Exceptions: []*engine.Exception{o.Exception}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerdictsThatRestOnTheTimeAreMadeAnewWhenItHasCome(t *testing.T) {
	for name, c := range map[string]struct {
		policies  []string
		exception string
		labels    map[string]string
		before    string
		last      time.Duration // at which the verdict still stands
		at        time.Duration
		after     string
	}{
		"an exception that expires": {
			policies: []string{fmt.Sprintf(refusing, "false")}, exception: expiring,
			before: "a skip", last: 10 * time.Minute, at: 10*time.Minute + 2*time.Second, after: "a fail",
		},
		"the end of an object's life": {
			policies: []string{fmt.Sprintf(refusing, "true")}, labels: map[string]string{"cleanup.kyverno.io/ttl": "2000-01-01T001500Z"},
			before: "a pass", last: 15 * time.Minute, at: 15*time.Minute + 2*time.Second, after: "a pass fail",
		},
		"an expression of JMESPath that reads the clock": {
			policies: []string{byTheClock},
			before:   "a pass", last: 7 * time.Minute, at: 10*time.Minute + 5*time.Second, after: "a fail",
		},
		"an expression in CEL that reads the clock": {
			policies: []string{fmt.Sprintf(refusing, "time.now() < timestamp('2000-01-01T00:07:00Z')")},
			before:   "a pass", last: 7 * time.Minute, at: 10*time.Minute + 5*time.Second, after: "a fail",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c0 := newCluster(t, c.policies...)
				if c.exception != "" {
					c0.snapshots.Store(withException(t, c.exception, c.policies...))
				}
				c0.create(t, podType, "n", "a", c.labels)
				c0.run(t)
				c0.expect(t, "the first list", c.before+", pods.v1: 1")
				time.Sleep(c.last)
				synctest.Wait()
				if got := c0.told(); strings.Trim(strings.ReplaceAll(got, c.before, ""), ", ") != "" {
					t.Errorf("before the time has come the sink was told %q", got)
				}
				judged := testutil.ToFloat64(c0.metrics.judged)
				time.Sleep(c.at - c.last)
				c0.expect(t, "when the time has come", c.after)
				if n := testutil.ToFloat64(c0.metrics.judged) - judged; n != 1 {
					t.Errorf("%v evaluations when the time came, want 1", n)
				}
				if n := strings.Count(c0.asked(), "list"); n != 1 {
					t.Errorf("%d lists, want the first alone", n)
				}
				c0.stop()
			})
		})
	}
}

// What rests on the time for itself is not judged with the rest.
func TestManyVerdictsThatEndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		const many = 3 * fewDirty
		for i := range many {
			c.create(t, podType, "n", fmt.Sprint("a", i), map[string]string{"team": "a", "cleanup.kyverno.io/ttl": "2000-01-01T001500Z"})
			c.create(t, podType, "n", fmt.Sprint("b", i), team)
		}
		c.run(t)
		c.told()
		judged := testutil.ToFloat64(c.metrics.judged)
		time.Sleep(15*time.Minute + 3*time.Second)
		synctest.Wait()
		over := 0
		for _, verdict := range c.known {
			if verdict == "pass fail" {
				over++
			}
		}
		if n := testutil.ToFloat64(c.metrics.judged) - judged; over != many || n != many {
			t.Errorf("%d of %d objects are over, after %v evaluations", over, many, n)
		}
		c.stop()
	})
}

func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAlarm(time.Now)
		now := time.Now()
		if a.wait() != longestAlarm || a.take() {
			t.Error("an alarm rings that nobody has set")
		}
		a.set(dueAfter(now.Add(30 * time.Second)))
		a.set(dueAfter(now.Add(10 * time.Second)))
		a.set(dueAfter(now.Add(20 * time.Second)))
		a.set(dueAfter(time.Time{}))
		if got := a.wait(); got != 11*time.Second {
			t.Errorf("it rings in %s, want the first whole second after the first of the times", got)
		}
		time.Sleep(10 * time.Second)
		if a.take() {
			t.Error("it rings at the last moment that counts")
		}
		time.Sleep(time.Second)
		if !a.take() || a.take() {
			t.Error("it does not ring once")
		}
		a.set(dueAfter(time.Now().Add(time.Hour)))
		if got := a.wait(); got != longestAlarm {
			t.Errorf("it waits for %s, although the clock may be set meanwhile", got)
		}
	})
}
