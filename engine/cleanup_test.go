package engine

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"sigs.k8s.io/yaml"
)

// cleanupPolicy writes a ClusterCleanupPolicy around its spec, in flow style.
func cleanupPolicy(spec string) string {
	return "{apiVersion: kyverno.io/v2, kind: ClusterCleanupPolicy, metadata: {name: old}, spec: " + spec + "}"
}

func tryCompileCleanup(t testing.TB, text string) (*Policy, error) {
	t.Helper()
	document := object(t, text)
	var src kyvernov2.CleanupPolicyInterface = &kyvernov2.ClusterCleanupPolicy{}
	if document["kind"] == kindCleanup {
		src = &kyvernov2.CleanupPolicy{}
	}
	if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.CompileCleanup(src, document)
}

func cleanupSnapshot(t testing.TB, text string) *Snapshot {
	t.Helper()
	p, err := tryCompileCleanup(t, text)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	s, err := NewSnapshot([]*Policy{p})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func audited(t testing.TB, s *Snapshot, object string) []Decision {
	t.Helper()
	m, err := s.Audit(t.Context(), resting(t, object), world{labels: map[string]map[string]string{"team-a": {"tier": "dev"}}}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	return m.Decisions
}

// The clock of these tests stands at 2027-01-15T08:00:00Z.
func TestCleanup(t *testing.T) {
	const (
		pods  = "match: {any: [{resources: {kinds: [Pod]}}]}"
		daily = "schedule: '30 2 * * *'"
		found = `cleanup warn: would be deleted at the next run of the schedule "30 2 * * *", at 2027-01-16T02:30:00Z`
		pod   = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team-a, labels: {app: web}, creationTimestamp: '2027-01-10T00:00:00Z'}, spec: {containers: [{name: c, image: nginx}]}}"
	)
	for name, c := range map[string]struct{ policy, want string }{
		"what is matched is found":    {cleanupPolicy("{" + pods + ", " + daily + "}"), found},
		"another kind is not":         {cleanupPolicy("{match: {any: [{resources: {kinds: [Job]}}]}, " + daily + "}"), ""},
		"what is excluded is not":     {cleanupPolicy("{" + pods + ", exclude: {any: [{resources: {selector: {matchLabels: {app: web}}}}]}, " + daily + "}"), ""},
		"by labels of the namespace":  {cleanupPolicy("{match: {any: [{resources: {kinds: [Pod], namespaceSelector: {matchLabels: {tier: dev}}}}]}, " + daily + "}"), found},
		"conditions on the target":    {cleanupPolicy("{" + pods + ", " + daily + ", conditions: {any: [{key: '{{ target.metadata.labels.app }}', operator: Equals, value: web}]}}"), found},
		"conditions that do not hold": {cleanupPolicy("{" + pods + ", " + daily + ", conditions: {all: [{key: '{{ target.metadata.labels.app }}', operator: Equals, value: db}]}}"), "cleanup pass"},
		"conditions on the age":       {cleanupPolicy("{" + pods + ", " + daily + ", conditions: {all: [{key: \"{{ time_since('', '{{ target.metadata.creationTimestamp }}', '') }}\", operator: GreaterThan, value: 72h}]}}"), found},
		"conditions on the context":   {cleanupPolicy("{" + pods + ", " + daily + ", context: [{name: wanted, variable: {value: web}}], conditions: {all: [{key: '{{ wanted }}', operator: Equals, value: '{{ target.metadata.labels.app }}'}]}}"), found},
		"conditions that cannot be told": {
			cleanupPolicy("{" + pods + ", " + daily + ", conditions: {any: [{key: '{{ target.spec.nope }}', operator: Equals, value: a}]}}"),
			`cleanup error: could not be evaluated: conditions: any[0]: key: target.spec.nope: not found: unknown key "nope"`,
		},
		"a namespaced policy in its namespace": {
			"{apiVersion: kyverno.io/v2, kind: CleanupPolicy, metadata: {name: old, namespace: team-a}, spec: {" + pods + ", " + daily + "}}", found,
		},
		"a namespaced policy in another": {
			"{apiVersion: kyverno.io/v2, kind: CleanupPolicy, metadata: {name: old, namespace: team-b}, spec: {" + pods + ", " + daily + "}}", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := cleanupSnapshot(t, c.policy)
			same(t, "decisions", lines(audited(t, s, pod)), c.want)
			if at := s.Validate(t.Context(), asking(t, pod), world{}.inputs()); at != nil {
				t.Errorf("at admission: %s", lines(at))
			}
		})
	}
}

// What rests on the time has to be judged again, though nothing changes.
func TestCleanupRestsOnTheTime(t *testing.T) {
	cleaned := cleanupSnapshot(t, cleanupPolicy("{match: {any: [{resources: {kinds: [Pod]}}]}, schedule: '@daily'}"))
	labelled := func(ttl string) string {
		return "{apiVersion: v1, kind: ConfigMap, metadata: {name: p, labels: {cleanup.kyverno.io/ttl: '" + ttl + "'}}}"
	}
	for name, c := range map[string]struct {
		object string
		want   string // the last moment at which the verdict stands
	}{
		"what a policy cleans up":  {excusedPod, "2027-01-16T00:00:00Z"},
		"what none does":           {"{apiVersion: v1, kind: ConfigMap, metadata: {name: p}}", ""},
		"a label that is not over": {labelled("2027-02-01"), "2027-02-01T00:00:00Z"},
		"a label that is over":     {labelled("2027-01-01"), ""},
		"a label without a start":  {labelled("12h"), ""},
	} {
		m, err := cleaned.Audit(t.Context(), resting(t, c.object), world{}.inputs())
		got := ""
		if !m.Due.IsZero() {
			got = m.Due.Format(time.RFC3339)
		}
		if err != nil || got != c.want || m.Unwatched != (c.want != "") || m.Clock {
			t.Errorf("%s: due %q, want %q; unwatched %t, clock %t, %v", name, got, c.want, m.Unwatched, m.Clock, err)
		}
	}
}

func TestCleanupSaysWhenAndHow(t *testing.T) {
	s := cleanupSnapshot(t, cleanupPolicy("{match: {any: [{resources: {kinds: [Pod]}}]}, schedule: '@hourly', deletionPropagationPolicy: Orphan}"))
	d := audited(t, s, excusedPod)
	want := map[string]string{"schedule": "@hourly", "next": "2027-01-15T09:00:00Z", "deletionPropagationPolicy": "Orphan"}
	if len(d) != 1 || !maps.Equal(d[0].Properties, want) || d[0].Denies() {
		t.Errorf("got %+v, want one with %v", d, want)
	}
	schedule, ok := s.Policies()[0].Rules[0].Schedule()
	if !ok || schedule.String() != "@hourly" {
		t.Errorf("the rule has the schedule %q, %v", schedule, ok)
	}
}

func TestCleanupProblems(t *testing.T) {
	const pods = "match: {any: [{resources: {kinds: [Pod]}}]}"
	for name, c := range map[string]struct{ spec, want string }{
		"nothing in it": {"{}", "spec.match: names no kinds: expected any or all with resources.kinds; spec.schedule: is empty: expected a cron expression of five fields"},
		"by user":       {"{schedule: '@daily', match: {all: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: a}]}]}}", "spec.match.all[0]: selects by the user: a cleanup is no request"},
		"but not users": {"{schedule: '@daily', " + pods + ", exclude: {any: [{clusterRoles: [admin]}]}}", "spec.exclude.any[0]: selects by the user: a cleanup is no request"},
		"who asks":      {"{schedule: '@daily', " + pods + ", conditions: {any: [{key: '{{ request.userInfo.username }}', operator: Equals, value: a}]}}", "spec.conditions: reads request.userInfo: a cleanup is no request"},
		"how":           {"{schedule: '@daily', " + pods + ", deletionPropagationPolicy: Now}", `spec.deletionPropagationPolicy: unknown value "Now": expected Foreground, Background or Orphan`},
		"a schedule":    {"{schedule: '* * * *', " + pods + "}", `spec.schedule: "* * * *" has 4 of five fields: minute, hour, day of month, month and day of week`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompileCleanup(t, cleanupPolicy(c.spec))
			if err == nil || err.Error() != "ClusterCleanupPolicy/old: "+c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// An exception excuses from rules, and a cleanup policy may have the name of another policy.
func TestExceptionsDoNotExcuseFromCleanup(t *testing.T) {
	p, err := tryCompileCleanup(t, cleanupPolicy("{match: {any: [{resources: {kinds: [Pod]}}]}, schedule: '@daily'}"))
	if err != nil {
		t.Fatal(err)
	}
	x := mustCompileException(t, exception("x", "{exceptions: [{policyName: old, ruleNames: ['*']}], "+allPods+"}"))
	s, err := Assemble(Contents{Policies: []*Policy{p}, Exceptions: []*Exception{x}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decisions", lines(audited(t, s, excusedPod)), `cleanup warn: would be deleted at the next run of the schedule "@daily", at 2027-01-16T00:00:00Z`)
}

func TestTimeToLive(t *testing.T) {
	const born = "creationTimestamp: '2027-01-10T00:00:00Z'"
	past := func(value, at string) string {
		return "ttl fail: the label cleanup.kyverno.io/ttl: " + value + " says that the object is deleted at " + at + ", which is past"
	}
	unread := func(value string) string {
		return `ttl fail: the label cleanup.kyverno.io/ttl: "` + value + `" is neither a duration such as 90m, 12h or 7d nor a date such as 2006-01-02 or 2006-01-02T150405Z: the object is never deleted`
	}
	for name, c := range map[string]struct{ ttl, meta, want string }{
		"a duration that is over":               {"12h", born, past("12h", "2027-01-10T12:00:00Z")},
		"one in days":                           {"2d", born, past("2d", "2027-01-12T00:00:00Z")},
		"one of two parts":                      {"1day12hours", born, past("1day12hours", "2027-01-11T12:00:00Z")},
		"a duration that is not over":           {"2w", born, ""},
		"a duration in a file":                  {"1s", "annotations: {}", ""},
		"a date that is past":                   {"2027-01-15", "annotations: {}", past("2027-01-15", "2027-01-15T00:00:00Z")},
		"a date to come":                        {"2027-01-16", "annotations: {}", ""},
		"a time that is past":                   {"2027-01-15T075959Z", "annotations: {}", past("2027-01-15T075959Z", "2027-01-15T07:59:59Z")},
		"a time that is now":                    {"2027-01-15T080000Z", "annotations: {}", ""},
		"an object that is being deleted":       {"1s", born + ", deletionTimestamp: '2027-01-10T00:00:10Z'", ""},
		"what is neither":                       {"forever", born, unread("forever")},
		"a number without a unit":               {"12", born, unread("12")},
		"what would be read in parts":           {"1.5d", born, unread("1.5d")},
		"a duration beyond what can be counted": {"999999999d", born, unread("999999999d")},
		"nothing":                               {"", born, unread("")},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t)
			object := "{apiVersion: v1, kind: ConfigMap, metadata: {name: p, labels: {cleanup.kyverno.io/ttl: '" + c.ttl + "'}, " + c.meta + "}}"
			got := audited(t, s, object)
			same(t, "decisions", lines(got), c.want)
			if without := s.Where(func(p *Policy) bool { return p.Name != "cleanup-ttl" }); len(audited(t, without, object)) > 0 {
				t.Error("it is found where it was taken out")
			}
		})
	}
}

func TestTimeToLiveSaysHow(t *testing.T) {
	d := audited(t, snapshot(t), "{apiVersion: v1, kind: ConfigMap, metadata: {name: p, labels: {cleanup.kyverno.io/ttl: 2020-01-01}, annotations: {cleanup.kyverno.io/propagation-policy: Foreground}}}")
	want := map[string]string{"ttl": "2020-01-01", "expired": "2020-01-01T00:00:00Z", "deletionPropagationPolicy": "Foreground"}
	if len(d) != 1 || !maps.Equal(d[0].Properties, want) || d[0].Path != "/metadata/labels/cleanup.kyverno.io/ttl/" || d[0].Policy.Key() != "cleanup-ttl" {
		t.Errorf("got %+v, want one with %v", d, want)
	}
}

func TestSchedules(t *testing.T) {
	now := time.Date(2027, 1, 15, 8, 0, 0, 0, time.FixedZone("", 3600)) // 07:00 UTC
	for text, want := range map[string]string{
		"*/5 * * * *":     "2027-01-15T07:05:00Z",
		"0 7 * * *":       "2027-01-16T07:00:00Z",
		"0 0 29 2 *":      "2028-02-29T00:00:00Z",
		"0 0 * * 0":       "2027-01-17T00:00:00Z",
		"0 0 * * sun":     "2027-01-17T00:00:00Z",
		"0 0 1,15 jan *":  "2028-01-01T00:00:00Z",
		"30 8-9/1 15 1 *": "2027-01-15T08:30:00Z",
		"@weekly":         "2027-01-17T00:00:00Z",
		"@yearly":         "2028-01-01T00:00:00Z",
		"":                "is empty: expected a cron expression of five fields",
		"  ":              "is empty: expected a cron expression of five fields",
		"@every 5m":       `"@every 5m" has no fixed times: expected a cron expression of five fields`,
		"@noon":           `"@noon" is not a cron expression: Unrecognized descriptor: @noon`,
		"0 0 0 * * *":     `"0 0 0 * * *" has 6 of five fields: minute, hour, day of month, month and day of week`,
		"60 * * * *":      `"60 * * * *" is not a cron expression: End of range (60) above maximum (59): 60`,
		"0 0 30 2 *":      `"0 0 30 2 *" names a time that never comes`,
		", * * * *":       `", * * * *" names a time that never comes`,
		"TZ=UTC 0 * * *":  `"TZ=UTC 0 * * *" is not a cron expression: Failed to parse int from TZ=UTC: strconv.Atoi: parsing "TZ=UTC": invalid syntax`,
	} {
		s, err := ParseSchedule(text)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = s.Next(now).Format(time.RFC3339)
		}
		same(t, text, got, want)
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, seed := range []string{"*/5 * * * *", "@daily", "0 0 31 2 *", "1-5/2,7 ? jan-dec mon", "-", "/", "* * * * 9999999999999999999"} {
		f.Add(seed)
	}
	now := time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSchedule(text); err == nil && !s.Next(now).After(now) {
			t.Errorf("%q: the next run is at %s", text, s.Next(now))
		}
	})
}

// FuzzEndOfLife holds our reading of durations to what it is built of: parts that it can read one by one.
func FuzzEndOfLife(f *testing.F) {
	for _, seed := range []string{"12h", "1d12h", "2weeks", "-5m", "1.5h", "2027-01-15", "2027-01-15T080000Z", "9µs", "99999999999999999999d", "1d "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		life, ok := parseLife(text)
		if !ok {
			return
		}
		if strings.TrimSpace(text) == "" {
			t.Errorf("%q is a duration of %s", text, life)
		}
		if more, ok := parseLife(text + "1d"); ok && life >= 0 && more < life {
			t.Errorf("%q is %s, and with a day more %s", text, life, more)
		}
	})
}

func TestCleanupRulesAreNoBusinessOfAdmission(t *testing.T) {
	s := cleanupSnapshot(t, cleanupPolicy("{match: {any: [{resources: {kinds: [Pod]}}]}, schedule: '@daily'}"))
	p := s.Policies()[0]
	if p.Admission || !p.Background || p.Rules[0].Kind.String() != "cleanup" {
		t.Errorf("got %+v", p)
	}
	if ops := p.Rules[0].Operations(); !slices.Equal(ops, []Operation{Create}) {
		t.Errorf("operations %v", ops)
	}
}
