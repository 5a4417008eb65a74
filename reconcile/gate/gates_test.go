package gate

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) // a Monday

func ago(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }

// deployment is a target with its name for its UID.
func deployment(name string) v1alpha1.Target {
	return v1alpha1.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "web", Name: name, UID: name, Action: v1alpha1.ActionPatch}
}

// remediation is one of policy p that goes as far as enforce.
func remediation(name string, targets ...v1alpha1.Target) v1alpha1.Remediation {
	r := v1alpha1.Remediation{}
	r.Name = name
	r.Spec.Plan.Policy = v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "p", Rule: "r"}
	r.Spec.Plan.Targets = targets
	r.Status.Mode = v1alpha1.Enforce
	r.Status.Phase = v1alpha1.PhaseApproved
	return r
}

func ended(name string, state v1alpha1.TargetState, times ...time.Duration) []v1alpha1.Remediation {
	var out []v1alpha1.Remediation
	for _, t := range times {
		r := remediation(name, deployment("shop"))
		r.Status.Phase = v1alpha1.PhaseSucceeded
		r.Status.Results = []v1alpha1.TargetResult{{State: state, Attempts: 1, Applied: ago(t), Time: ago(t)}}
		out = append(out, r)
	}
	return out
}

// clear are facts that every gate lets pass.
func clear() *Facts {
	r := remediation("now", deployment("shop"))
	return &Facts{
		Now: now, Remediation: &r, Target: &r.Spec.Plan.Targets[0],
		Object:    map[string]any{"metadata": map[string]any{"name": "shop", "uid": "shop", "generation": 2.0}, "status": map[string]any{"observedGeneration": 2.0}},
		Namespace: map[string]string{}, Settings: DefaultSettings(), Switch: &Switch{}, Mode: v1alpha1.Enforce,
		Approval: Approval{Decision: Missing}, Share: &Share{Changed: 1, Matched: 10}, Memory: Remember(nil, now),
	}
}

func windows(t *testing.T, text string) []Place {
	t.Helper()
	ws, err := bounds.ParseWindows(text)
	if err != nil {
		t.Fatal(err)
	}
	return []Place{{"the policy", ws}}
}

func TestEachGateStopsWithItsReason(t *testing.T) {
	approve := func(a Approval) func(*Facts) {
		return func(f *Facts) { f.Mode, f.Approval = v1alpha1.Approve, a }
	}
	annotate := func(value string) func(*Facts) {
		return func(f *Facts) {
			metadata(f.Object)["annotations"] = map[string]any{v1alpha1.AnnotationHold: value}
		}
	}
	remember := func(rs ...v1alpha1.Remediation) func(*Facts) {
		return func(f *Facts) { f.Memory = Remember(rs, now) }
	}
	inNamespace := remediation("quotas", v1alpha1.Target{Kind: "ConfigMap", Namespace: "web", Name: "settings", UID: "c"})
	inNamespace.Spec.Plan.Policy.Name = "first"
	elsewhere := *inNamespace.DeepCopy()
	elsewhere.Spec.Plan.Targets[0].Namespace = "other"
	stuck := *inNamespace.DeepCopy()
	stuck.Status.Gates = []v1alpha1.GateStatus{{Gate: "hold"}}
	later := *inNamespace.DeepCopy()
	later.Status.Gates = []v1alpha1.GateStatus{{Gate: "attempts", Until: &metav1.Time{Time: now.Add(time.Hour)}}}
	undecided := *inNamespace.DeepCopy()
	undecided.Status.Mode, undecided.Status.Phase = v1alpha1.Approve, v1alpha1.PhaseAwaitingApproval
	after := func(order map[string][]string, rs ...v1alpha1.Remediation) func(*Facts) {
		return func(f *Facts) { f.Settings.After, f.Memory = order, Remember(rs, now) }
	}
	busy := remediation("busy", deployment("other"))
	busy.Status.Results = []v1alpha1.TargetResult{{State: v1alpha1.TargetVerifying, Attempts: 1, Applied: ago(0), Time: ago(0)}}
	undone := ended("old", v1alpha1.TargetRolledBack, time.Hour)
	undone[0].Spec.Rollback = &v1alpha1.Rollback{}

	for name, test := range map[string]struct {
		facts func(*Facts)
		want  string // GATE REASON: MESSAGE [UNTIL], "" if all let it pass
	}{
		"nothing":                          {func(*Facts) {}, ""},
		"a switch that nobody knows":       {func(f *Facts) { f.Switch = nil }, "switch NotKnown: it is not known how the kill switch stands"},
		"everything is stopped":            {func(f *Facts) { f.Switch = &Switch{Stopped: true, By: "jane", Reason: "an outage", Since: now} }, "switch SwitchedOff: everything is stopped by jane since 2026-05-04 12:00 UTC: an outage"},
		"everything is stopped, by nobody": {func(f *Facts) { f.Switch = &Switch{Stopped: true} }, "switch SwitchedOff: everything is stopped"},
		"it is only to be proposed":        {func(f *Facts) { f.Mode = v1alpha1.Propose }, `mode ModeTooLow: its mode is "propose", in which nothing is carried out`},
		"a mode that is none":              {func(f *Facts) { f.Mode = "" }, `mode ModeTooLow: its mode is "", in which nothing is carried out`},
		"it is paused":                     {func(f *Facts) { f.Remediation.Spec.Paused = true }, "pause Paused: it was paused"},
		"somebody paused it": {func(f *Facts) {
			f.Remediation.Spec.Paused, f.Remediation.Spec.PausedBy = true, &v1alpha1.Asked{User: "jane"}
		}, "pause Paused: it was paused by jane"},
		"annotations that cannot be read":   {func(f *Facts) { f.Unreadable = errors.New("the Namespace says nonsense") }, "settings Unreadable: the Namespace says nonsense"},
		"nobody has approved":               {approve(Approval{Decision: Missing}), "approval ApprovalMissing: nobody has approved it yet"},
		"it was approved":                   {approve(Approval{Decision: Approved, By: "jane"}), ""},
		"the approval has expired":          {approve(Approval{Decision: Expired, Message: "too late"}), "approval ApprovalExpired: too late"},
		"the approval is forged":            {approve(Approval{Decision: Forged, Message: "no stamp"}), "approval ApprovalForged: no stamp"},
		"it is forged though none needed":   {func(f *Facts) { f.Approval = Approval{Decision: Forged, Message: "no stamp"} }, "approval ApprovalForged: no stamp"},
		"the approval is of another plan":   {approve(Approval{Decision: OtherPlan, Message: "other"}), "approval ApprovalOfAnotherPlan: other"},
		"nobody knows of the approval":      {approve(Approval{Message: "the key is away"}), "approval NotKnown: it is not known whether it was approved: the key is away"},
		"it is rejected though none needed": {func(f *Facts) { f.Approval = Approval{Decision: Rejected, By: "jane"} }, "approval ApprovalRejected: it was rejected by jane"},
		"it has an obstacle":                {func(f *Facts) { f.Target.Obstacle = &v1alpha1.Obstacle{Reason: v1alpha1.Undone, Message: "m"} }, "obstacle HasObstacle: Undone: m"},
		"the object is gone":                {func(f *Facts) { f.Object = nil }, "object Gone: the object is gone"},
		"the object is another":             {func(f *Facts) { metadata(f.Object)["uid"] = "x" }, "object Replaced: another object has the name: the plan is for the one with UID shop"},
		"the object is being deleted":       {func(f *Facts) { metadata(f.Object)["deletionTimestamp"] = "t" }, "object Deleting: the object is being deleted"},
		"an object to be made is there":     {func(f *Facts) { f.Target.Action = v1alpha1.ActionCreate }, "object Exists: somebody has made the object"},
		"an object to be made":              {func(f *Facts) { f.Target.Action, f.Object = v1alpha1.ActionCreate, nil }, ""},
		"the object is held":                {annotate("2026-05-05 frozen"), "hold Held: the object is held until 2026-05-06 00:00 UTC: frozen until 2026-05-06 00:00"},
		"the object was held":               {annotate("2026-05-03"), ""},
		"the Namespace is held":             {func(f *Facts) { f.Namespace[v1alpha1.AnnotationHold] = "always" }, "hold Held: Namespace web is held"},
		"a hold that cannot be read":        {annotate("soon"), `hold Held: the object is held without an end: holdfast.dev/hold: "soon": expected the time until when (2026-12-24T18:00:00Z, or 2026-12-24 for the end of that day in UTC) or "always", and behind a blank the reason`},
		"an exception":                      {func(f *Facts) { f.Exception = "web/shop" }, "exception Excepted: PolicyException web/shop excuses it"},
		"it was written just now":           {func(f *Facts) { f.Settles = now.Add(time.Minute) }, "settled NotSettled: it may be a passing state: it was written just now until 2026-05-04 12:01"},
		"the controller is behind":          {func(f *Facts) { metadata(f.Object)["generation"] = 3.0 }, "observed NotObserved: its controller has seen generation 2, and it has 3"},
		"out of the window":                 {func(f *Facts) { f.Settings.Windows = windows(t, "allow 0 22 * * * for 6h") }, `window WindowClosed: the policy makes no changes now: "allow 0 22 * * * for 6h", until 2026-05-04 22:00 UTC until 2026-05-04 22:00`},
		"within the window":                 {func(f *Facts) { f.Settings.Windows = windows(t, "allow 0 22 * * * for 6h; allow 0 11 * * 1 for 2h") }, ""},
		"a window denies what one allows": {func(f *Facts) {
			f.Settings.Windows = windows(t, "allow 0 0 * * * for 24h; deny 0 14 * * * for 1h in Europe/Zurich")
		}, `window WindowClosed: the policy makes no changes now: "deny 0 14 * * * for 1h in Europe/Zurich", until 2026-05-04 13:00 UTC until 2026-05-04 13:00`},
		"most of what the rule matches": {func(f *Facts) { f.Share = &Share{Changed: 6, Matched: 10} }, "share ShareTooLarge: it would change 6 of the 10 objects that the rule matches, and no more than 50% may be"},
		"all of a few":                  {func(f *Facts) { f.Share = &Share{Changed: 5, Matched: 5} }, ""},
		"a share that nobody knows":     {func(f *Facts) { f.Share = nil }, "share NotKnown: it is not known how many objects the rule matches"},
		"a past that nobody knows":      {func(f *Facts) { f.Memory = nil }, "breaker NotKnown: it is not known what was done before"},
		"two attempts":                  {remember(ended("old", v1alpha1.TargetFailed, time.Hour, 2*time.Hour)...), ""},
		"three attempts":                {remember(ended("old", v1alpha1.TargetFailed, time.Hour, 2*time.Hour, 3*time.Hour)...), "attempts AttemptsUsed: it is left alone after 3 failed attempts to change it until 2026-05-05 11:00"},
		"attempts before a success":     {remember(append(ended("old", v1alpha1.TargetFailed, 3*time.Hour, 2*time.Hour, 4*time.Hour), ended("good", v1alpha1.TargetSucceeded, time.Hour)...)...), ""},
		"attempts of the day before":    {remember(ended("old", v1alpha1.TargetFailed, 25*time.Hour, 26*time.Hour, 27*time.Hour)...), ""},
		"somebody had it put back":      {remember(undone...), "attempts UndoneByHand: Remediation old changed it, and was rolled back by hand: approve this one to change it again until 2026-05-05 11:00"},
		"and approved it after that": {func(f *Facts) {
			f.Memory, f.Approval = Remember(undone, now), Approval{Decision: Approved, At: now.Add(-time.Minute)}
		}, ""},
		"an approval from before it was put back": {func(f *Facts) {
			f.Memory, f.Approval = Remember(undone, now), Approval{Decision: Approved, At: now.Add(-2 * time.Hour)}
		}, "attempts UndoneByHand: Remediation old changed it, and was rolled back by hand: approve this one to change it again until 2026-05-05 11:00"},
		"it drifts again and again": {func(f *Facts) {
			f.Memory = Remember(ended("old", v1alpha1.TargetSucceeded, 2*time.Hour, 3*time.Hour, 4*time.Hour, 5*time.Hour), now)
			f.Target.DriftedBy = &v1alpha1.Origin{User: "system:serviceaccount:ops:bot", Manager: "bot"}
		}, "fight Fight: it was mended 4 times in a day and drifted again: system:serviceaccount:ops:bot (bot) wants it otherwise until 2026-05-05 08:00"},
		"another change is being tried": {remember(append(ended("old", v1alpha1.TargetFailed, 20*time.Minute, 20*time.Minute, 20*time.Minute, 20*time.Minute), busy)...), "breaker BreakerHalfOpen: changes of policy p have failed: one is tried at a time, and another is under way"},
		"the breaker is open":           {remember(ended("old", v1alpha1.TargetFailed, 5*time.Minute, 20*time.Minute, 20*time.Minute, 20*time.Minute)...), "breaker BreakerOpen: more than 50% of the changes of policy p have failed: none is made until 2026-05-04 12:10 UTC until 2026-05-04 12:10"},
		"something comes first": {after(map[string][]string{"p": {"second"}, "second": {"first"}}, undecided),
			"order WaitsForAnother: Remediation quotas comes first: holdfast.dev/after says that policy first is before this one"},
		"policies in a circle":                  {after(map[string][]string{"p": {"first"}, "first": {"p"}}), "order Circle: policy p is to come after itself: the annotations holdfast.dev/after of some policies lead in a circle"},
		"a configuration comes first":           {remember(inNamespace), "order WaitsForAnother: Remediation quotas comes first: it changes ConfigMap settings, and this object comes after it"},
		"a configuration somewhere else":        {remember(elsewhere), ""},
		"a configuration that cannot come":      {remember(stuck), ""},
		"a configuration that comes much later": {remember(later), ""},
		"a configuration that may never come":   {remember(undecided), ""},
		"a configuration that is to come last":  {after(map[string][]string{"first": {"p"}}, inNamespace), ""},
		"the policy's budget": {func(f *Facts) {
			f.Settings.Budgets.Policy, f.Settings.MaxFights = 2, 9
			f.Memory = Remember(ended("old", v1alpha1.TargetSucceeded, 30*time.Minute, 50*time.Minute, 70*time.Minute), now)
		}, "budget BudgetUsed: the budget of policy p is used up: 2 of 2 changes in an hour until 2026-05-04 12:10"},
		"the Namespace's budget": {func(f *Facts) {
			f.Settings.Budgets.Namespace = 1
			f.Memory = Remember([]v1alpha1.Remediation{busy}, now)
		}, "budget BudgetUsed: the budget of Namespace web is used up: 1 of 1 changes in an hour until 2026-05-04 13:00"},
		"the cluster's budget is none": {func(f *Facts) { f.Settings.Budgets.Cluster = 0 }, "budget BudgetUsed: the budget of the cluster is used up: 0 of 0 changes in an hour"},
		"its own change counts not against it": {func(f *Facts) {
			own := *f.Remediation.DeepCopy()
			own.Status.Results = []v1alpha1.TargetResult{{State: v1alpha1.TargetApplying, Attempts: 1, Time: ago(0)}}
			f.Settings.Budgets = Budgets{1, 1, 1}
			f.Memory = Remember([]v1alpha1.Remediation{own}, now)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := clear()
			test.facts(f)
			got := ""
			if v, stopped := First(f); stopped {
				got = v.Gate + " " + string(v.Reason) + ": " + v.Message
				if !v.Until.IsZero() {
					got += " until " + v.Until.UTC().Format("2006-01-02 15:04")
				}
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestAllVerdictsAreGivenInOrder(t *testing.T) {
	f := clear()
	f.Mode, f.Object = v1alpha1.Report, nil
	var all, stops []string
	for _, v := range Judge(f) {
		all = append(all, v.Gate)
		if !v.Passes {
			stops = append(stops, v.Gate)
		}
	}
	if got, want := strings.Join(all, " "), "switch mode pause settings approval obstacle object hold exception settled observed window share breaker attempts fight order budget"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := strings.Join(stops, " "), "mode approval object"; got != want {
		t.Errorf("stop: got %s, want %s", got, want)
	}
	f.Target = nil
	if got := len(Judge(f)); got != 8 {
		t.Errorf("without a target %d gates are asked, want 8", got)
	}
}

func TestNothingThatIsUnknownLetsThrough(t *testing.T) {
	f := &Facts{Now: now, Remediation: clear().Remediation}
	for _, v := range Judge(f) {
		if v.Passes && v.Gate != "pause" && v.Gate != "settings" && v.Gate != "window" {
			t.Errorf("%s lets through what nobody knows anything of", v.Gate)
		}
	}
}

func TestPoliciesSayWhatComesBefore(t *testing.T) {
	got := After([]*engine.Policy{{Name: "b", Namespace: "web", Annotations: map[string]string{v1alpha1.AnnotationAfter: "a, x/y"}}, {Name: "a"}})
	if len(got) != 1 || strings.Join(got["web/b"], " ") != "a x/y" {
		t.Errorf("got %v", got)
	}
}
