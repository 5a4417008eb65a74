package scale

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]Options{
		"":                                       {Progress: io.Discard},
		"-1 objects: expected some":              {Progress: io.Discard, Objects: -1},
		"501 writes a second: expected 1 to 500": {Progress: io.Discard, Rate: 501},
		"changes for 1ms: expected a second or more": {Progress: io.Discard, Changes: time.Millisecond},
		"nowhere to tell of the progress":            {},
	} {
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWhatAProcessHasUsed(t *testing.T) {
	// A name with brackets and blanks, 12.34 s as a user and 1 s as the system.
	got, err := cpuOf("7 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 1234 100 0 0 20 0 1 0 5 6 7\n")
	if err != nil || got != 13.34 {
		t.Errorf("%v s, %v", got, err)
	}
	if _, err := cpuOf("7 (a) S 1"); err == nil || err.Error() != `"7 (a) S 1" has too few fields` {
		t.Error(err)
	}
	u, err := usageOf(os.Getpid())
	if err != nil || u.rss <= 0 || u.peak < u.rss/2 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestSettledMeansListedAndWritten(t *testing.T) {
	const listed = "holdfast_audit_leader 1\nholdfast_audit_last_list_timestamp_seconds{resource=\"pods.v1\"} 5\n"
	for name, tc := range map[string]struct {
		metrics string
		want    bool
	}{
		"all is done":                 {listed + "holdfast_report_pending 0\n", true},
		"reports are to be written":   {listed + "holdfast_report_pending 1\n", false},
		"a type has yet to be read":   {listed + "holdfast_audit_last_list_timestamp_seconds{resource=\"services.v1\"} 0\nholdfast_report_pending 0\n", false},
		"no type is known yet":        {"holdfast_audit_leader 1\nholdfast_report_pending 0\n", false},
		"another one audits, or will": {strings.Replace(listed, "leader 1", "leader 0", 1), false},
	} {
		m, err := readSamples(strings.NewReader(tc.metrics))
		if err != nil {
			t.Fatal(err)
		}
		if got := settled(m); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	m, err := readSamples(strings.NewReader(listed))
	if err != nil {
		t.Fatal(err)
	}
	if got := listedSince(m, time.Unix(4, 0)); len(got) != 1 || got[0] != "pods.v1" {
		t.Errorf("listed since: %v", got)
	}
	if got := listedSince(m, time.Unix(5, 0)); len(got) != 0 {
		t.Errorf("listed since then: %v", got)
	}
}

func TestTimeToDetectIsThatOfTheFirstReportWithMoreTrouble(t *testing.T) {
	d := &detector{before: map[string]int{"a": 1}, sent: map[string]time.Time{}, sending: true, done: make(chan struct{})}
	report := func(failures int, other ...string) *policyReport {
		r := &policyReport{}
		r.Metadata.Name = "holdfast-a"
		for range failures {
			r.Results = append(r.Results, struct{ Policy, Result string }{"p", "fail"})
		}
		for _, policy := range other {
			r.Results = append(r.Results, struct{ Policy, Result string }{policy, "fail"})
		}
		return r
	}
	d.send(object{uid: "a"})
	sent := d.sent["a"]
	d.seen(report(1), sent.Add(time.Second))                     // as before
	d.seen(report(1, policyOnEverything), sent.Add(time.Second)) // what is applied meanwhile is no answer
	d.last()
	select {
	case <-d.done:
		t.Fatal("done before the report came")
	default:
	}
	d.seen(report(2), sent.Add(2*time.Second))
	<-d.done
	if got := d.latencies(); got.Count != 1 || got.Missed != 0 || got.P50 != 2 || got.P99 != 2 || got.Max != 2 {
		t.Errorf("%+v", got)
	}
}

func TestPercentiles(t *testing.T) {
	var took []float64
	for i := range 200 {
		took = append(took, float64(200-i))
	}
	if got := newLatencies(took, 3); *got != (Latencies{Count: 200, Missed: 3, P50: 100, P99: 198, Max: 200}) {
		t.Errorf("%+v", got)
	}
	if got := newLatencies(nil, 0); *got != (Latencies{}) {
		t.Errorf("%+v", got)
	}
}

func TestOwnRequestsAreKnownByVerbAndResource(t *testing.T) {
	for want, tc := range map[string][2]string{
		"POST pods":           {http.MethodPost, "/api/v1/namespaces/n/pods"},
		"PATCH pods/status":   {http.MethodPatch, "/api/v1/namespaces/n/pods/p/status"},
		"PATCH deployments":   {http.MethodPatch, "/apis/apps/v1/namespaces/n/deployments/d"},
		"POST namespaces":     {http.MethodPost, "/api/v1/namespaces"},
		"GET policyreports":   {http.MethodGet, "/apis/wgpolicyk8s.io/v1alpha2/namespaces/n/policyreports/r"},
		"LIST policyreports":  {http.MethodGet, "/apis/wgpolicyk8s.io/v1alpha2/policyreports"},
		"WATCH policyreports": {http.MethodGet, "/apis/wgpolicyk8s.io/v1alpha2/policyreports?watch=true"},
		"":                    {http.MethodGet, "/metrics"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc[0], "https://x"+tc[1], http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := requestKey(req); got != want {
			t.Errorf("%v: %q, want %q", tc, got, want)
		}
	}
}

func TestTheTableNamesWhatIsNotAsItShouldBe(t *testing.T) {
	r := &Result{Objects: 10, Policies: "shipped", CPUs: 2, Broken: []string{"restart: 3 writes of reports, expected none"}, Phases: []*Phase{{
		Name: "first sweep", Seconds: 2, CPU: map[string]float64{"holdfast": 0.5}, Requests: map[string]int{"LIST pods": 1, "APPLY policyreports": 9},
		Detect: &Latencies{Count: 1, P50: 0.1, P99: 0.2, Max: 0.3}, Listed: []string{"pods.v1"},
	}}}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"first sweep: API requests: 9 APPLY policyreports, 1 LIST pods; read anew: pods.v1\n",
		"first sweep: 5 objects a second on the clock, 20 a second of holdfast's CPU\n",
		"NOT AS IT SHOULD BE: restart: 3 writes of reports, expected none\n", "0.100", "0.200", "0.300",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestWhatLivesIsReadFromTheHeapProfile(t *testing.T) {
	const text = "heap profile: 1: 2 [3: 4] @ heap/1048576\n\n# runtime.MemStats\n# Alloc = 7\n# HeapAlloc = 4321\n# HeapSys = 9\n"
	if got, err := heapAlloc(text); got != 4321 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	const want = `read the heap profile: it does not say how much lives: strconv.ParseInt: parsing "": invalid syntax`
	if _, err := heapAlloc("nothing\n"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
