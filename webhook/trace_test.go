package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/traces"
	"github.com/holdfast-io/holdfast/traces/tracestest"
)

// recorded has a door whose spans are kept.
func recorded(t *testing.T, policies string, change ...func(*Options)) (*door, *tracestest.Recorder) {
	t.Helper()
	spans := tracestest.New()
	return newDoor(t, policies, append(change, func(o *Options) { o.Tracer = spans.Tracer() })...), spans
}

// root gives the attributes of the review's span, with its status.
func root(t *testing.T, spans *tracestest.Recorder) map[string]string {
	t.Helper()
	for _, name := range []string{"admission validate", "admission mutate"} {
		if all, attributes := spans.Named(name); len(all) == 1 {
			attributes[0]["status"] = all[0].Status().Code.String()
			return attributes[0]
		}
	}
	t.Fatal("there is no span of a review")
	return nil
}

func TestTheTraceOfAReviewHangsBelowTheAPIServers(t *testing.T) {
	d, spans := recorded(t, requireTeam)
	r := httptest.NewRequest(http.MethodPost, "/validate/fail-10s", strings.NewReader(reviewOf(nil)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	d.ServeHTTP(httptest.NewRecorder(), r)
	const want = `b7ad6b7169203331 > admission validate
admission validate > read
admission validate > match
admission validate > decode
admission validate > validate
admission validate > answer`
	if got := spans.Tree(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got := root(t, spans)
	for key, want := range map[string]string{
		"holdfast.review.uid": "u-1", "holdfast.operation": "CREATE", "holdfast.group": "fail-10s", "holdfast.decision": "denied", "holdfast.refused_by": `["require-team/check-team"]`,
		"k8s.object.kind": "Pod", "k8s.namespace.name": "default", "k8s.object.name": "web", "status": "Unset",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	const line = `msg="refused a write" webhook=validate uid=u-1 trace=0af7651916cd43dd8448eb211c80319c operation=CREATE`
	if !strings.Contains(d.log.String(), line) {
		t.Errorf("the log is %s\nwant %s", d.log, line)
	}
}

func TestTheTraceOfWhatIsNotDecided(t *testing.T) {
	for name, test := range map[string]struct{ path, body, want, decision, status string }{
		"a mutation":          {"/mutate", reviewOf(nil), " > admission mutate\nadmission mutate > read\nadmission mutate > match\nadmission mutate > decode\nadmission mutate > mutate\nadmission mutate > answer", "mutated", "Unset"},
		"no rule is about it": {"/validate", reviewOf(obj{"kind": obj{"group": "", "version": "v1", "kind": "ConfigMap"}}), " > admission validate\nadmission validate > read\nadmission validate > match\nadmission validate > answer", "allowed", "Unset"},
		"it is no review":     {"/validate", "{}", " > admission validate\nadmission validate > read\nadmission validate > answer", "invalid", "Error"},
	} {
		t.Run(name, func(t *testing.T) {
			d, spans := recorded(t, requireTeam+and+addTeam)
			d.post(test.path, test.body)
			if got := spans.Tree(); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			if got := root(t, spans); got["holdfast.decision"] != test.decision || got["status"] != test.status {
				t.Errorf("got %s, %s; want %s, %s", got["holdfast.decision"], got["status"], test.decision, test.status)
			}
		})
	}
}

// slowLookups take their time.
type slowLookups struct{ *lookups }

func (l slowLookups) NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error) {
	time.Sleep(2 * slowRule)
	return l.lookups.NamespaceLabels(ctx, namespace)
}

func TestASlowRuleHasASpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := slowLookups{&lookups{labels: map[string]map[string]string{"default": {"a": "b"}}}}
		d, spans := recorded(t, requireTeam+and+fmt.Sprintf(bySelector, "selects", "Fail"), func(o *Options) { o.Inputs.Lookups = slow })
		d.ask(t, "/validate", reviewOf(nil))
		if got := spans.Tree(); !strings.Contains(got, "\nvalidate > rule") || strings.Count(got, "> rule") != 1 {
			t.Fatalf("got\n%s", got)
		}
		rule, attributes := spans.Named("rule")
		if took := rule[0].EndTime().Sub(rule[0].StartTime()); took != 2*slowRule {
			t.Errorf("it took %s", took)
		}
		want := map[string]string{"holdfast.policy": "selects", "holdfast.rule": "selected", "holdfast.status": "fail"}
		if !maps.Equal(attributes[0], want) {
			t.Errorf("got %v, want %v", attributes[0], want)
		}
	})
}

// Nothing of an object, no message and no name of a user is in a span.
func TestSpansKeepSecrets(t *testing.T) {
	d, spans := recorded(t, fmt.Sprintf(bySelector, "selects", "Fail"))
	d.lookups.labels["default"] = map[string]string{"a": "b"}
	d.ask(t, "/validate", reviewOf(obj{
		"kind": obj{"group": "", "version": "v1", "kind": "Secret"}, "resource": obj{"group": "", "version": "v1", "resource": "secrets"},
		"object": obj{"apiVersion": "v1", "kind": "Secret", "metadata": obj{"name": "web", "namespace": "default"}, "data": obj{"key": "czNjcmV0"}},
	}))
	for _, s := range spans.Ended() {
		if text := fmt.Sprint(s.Attributes(), s.Events(), s.Status()); strings.Contains(text, "czNjcmV0") || strings.Contains(text, "alice") || strings.Contains(text, "never") {
			t.Errorf("%s says %s", s.Name(), text)
		}
	}
}

func TestAReviewThatIsNotTracedCostsNothing(t *testing.T) {
	d := newDoor(t, requireTeam)
	r := httptest.NewRequest(http.MethodPost, "/validate", http.NoBody)
	c := &call{}
	if n := testing.AllocsPerRun(100, func() {
		c.trail = d.trail(r, c)
		c.trail.enter(phaseRead)
		c.trail.about(nil)
		c.trail.rule(nil, time.Time{}, time.Time{})
		c.trail.end(c)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A collector that does not answer keeps no review waiting: spans are lost, and the reviews are not.
func TestACollectorThatHangsHoldsNoReviewUp(t *testing.T) {
	hung := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung }))
	defer server.Close()
	reg := prometheus.NewPedanticRegistry()
	provider, err := traces.New(traces.Options{Endpoint: server.URL, Ratio: 1, Logger: slog.New(slog.DiscardHandler), Metrics: reg})
	check(t, err)
	d := newDoor(t, requireTeam, func(o *Options) { o.Tracer = provider.Tracer() })
	const reviews = 500 // of six spans each, more than may wait
	for range reviews {
		d.ask(t, "/validate", reviewOf(nil))
	}
	m := gathered(t, reg)
	if waiting, dropped := m["holdfast_trace_spans_waiting{}"], m["holdfast_trace_spans_dropped_total{reason=no_room}"]; waiting+dropped < 6*reviews || dropped == 0 {
		t.Errorf("%v spans wait and %v were dropped, of %d and those of slow rules", waiting, dropped, 6*reviews)
	}
	close(hung)
	ended, end := context.WithCancel(t.Context())
	end()
	check(t, provider.Run(ended))
}
