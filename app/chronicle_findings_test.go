package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/report"
)

// remembered is a ledger in memory, that fails on demand.
type remembered struct {
	mu      sync.Mutex
	open    []ledger.Entry
	entries []string
	fails   error
}

func (r *remembered) Append(_ context.Context, entries ...ledger.Entry) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		return ledger.Receipt{}, r.fails
	}
	for i := range entries {
		e := &entries[i]
		r.entries = append(r.entries, strings.TrimSpace(fmt.Sprintf("%s %s %s/%s %s", e.Kind, e.Object, e.Policy.Name, e.Policy.Rule, e.Actor.User)))
	}
	return ledger.Receipt{}, nil
}

func (r *remembered) OpenFindings(context.Context) ([]ledger.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.fails
}

// heard gives what was recorded since the last call.
func (r *remembered) heard() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	out := strings.Join(r.entries, "; ")
	r.entries = nil
	return out
}

func (r *remembered) failing(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails = err
}

// twoRules is a policy in force, with the rules a and b.
func twoRules(t *testing.T) *engine.Snapshot {
	t.Helper()
	return enginetest.Snapshot(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
  - {name: a, match: {any: [{resources: {kinds: [ConfigMap]}}]}, validate: {message: m, pattern: {data: {a: "?*"}}}}
  - {name: b, match: {any: [{resources: {kinds: [ConfigMap]}}]}, validate: {message: m, pattern: {data: {b: "?*"}}}}
`)
}

// findingScene is a record of findings that runs on a ledger in memory.
type findingScene struct {
	*findingRecord
	ledger *remembered
	policy *engine.Policy
}

func newFindingScene(t *testing.T, l *remembered) *findingScene {
	t.Helper()
	s := twoRules(t)
	return &findingScene{newFindingRecord(l, bundle.NewStore(s), nil, slog.New(slog.DiscardHandler)), l, s.Policies()[0]}
}

func (s *findingScene) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func configMap(name string) audit.Object {
	return audit.Object{Kind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Namespace: "shop", Name: name, UID: name}
}

// say tells what the rules a and b say of a ConfigMap.
func (s *findingScene) say(name string, verdicts ...engine.Status) {
	f := audit.Finding{Object: configMap(name), Seen: time.Now(), Origins: make([]audit.Origin, 2)}
	f.Origins[0].Write.User = "ana"
	for i, v := range verdicts {
		f.Result.Decisions = append(f.Result.Decisions, engine.Decision{Policy: s.policy, Rule: s.policy.Rules[i], Status: v})
	}
	s.Found(&f, resultsOf(&f, func(report.Status) bool { return false }))
}

func wants(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", what, got, want)
	}
}

func TestFindingsAreRecordedWhenTheyOpenAndWhenTheyClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &remembered{}
		s := newFindingScene(t, l)
		defer s.start(t)()
		s.say("x", engine.Fail, engine.Pass)
		wants(t, "a fails", l.heard(), "finding-opened ConfigMap shop/x p/a ana")
		s.say("x", engine.Fail, engine.Pass)
		wants(t, "a still fails", l.heard(), "")
		s.say("x", engine.Fail, engine.Warn)
		wants(t, "b fails too", l.heard(), "finding-opened ConfigMap shop/x p/b")
		s.say("x", engine.Error, engine.Pass)
		wants(t, "a cannot be told, b passes", l.heard(), "finding-closed ConfigMap shop/x p/b")
		s.say("x", engine.Pass, engine.Pass)
		wants(t, "both pass", l.heard(), "finding-closed ConfigMap shop/x p/a")
		s.say("y", engine.Pass, engine.Skip)
		wants(t, "another one is well", l.heard(), "")
		s.say("y", engine.Fail, engine.Fail)
		l.heard()
		s.Gone(configMap("y"))
		wants(t, "it is gone", l.heard(), "finding-closed ConfigMap shop/y p/a; finding-closed ConfigMap shop/y p/b")
		s.Gone(configMap("z"))
		wants(t, "one that was well is gone", l.heard(), "")
	})
}

func TestWhatTheLedgerHasOpenIsNotOpenedAgainAndIsClosedWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		was := func(name, rule string) ledger.Entry {
			o := auditedObject(configMap(name))
			return ledger.Entry{Kind: ledger.FindingOpened, Object: o, Policy: ledger.Policy{Kind: "ClusterPolicy", Name: "p", Rule: rule}}
		}
		l := &remembered{open: []ledger.Entry{was("known", "a"), was("mended", "a"), was("vanished", "a"), was("known", "of another bundle")}}
		s := newFindingScene(t, l)
		s.say("known", engine.Fail, engine.Pass) // before it runs
		s.Listed(audit.Type{Kind: configMap("").Kind}, func(uid string) bool { return uid != "vanished" })
		defer s.start(t)()
		wants(t, "at the start", l.heard(), "finding-closed ConfigMap shop/known p/of another bundle; finding-closed ConfigMap shop/vanished p/a")
		s.say("mended", engine.Pass, engine.Pass)
		wants(t, "it was mended meanwhile", l.heard(), "finding-closed ConfigMap shop/mended p/a")
	})
}

func TestAShardTellsOfItsOwnObjectsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &remembered{open: []ledger.Entry{{Kind: ledger.FindingOpened, Object: auditedObject(configMap("others")), Policy: ledger.Policy{Kind: "ClusterPolicy", Name: "p", Rule: "a"}}}}
		s := newFindingScene(t, l)
		s.mine = func(_, uid string) bool { return uid != "others" }
		defer s.start(t)()
		s.Listed(audit.Type{Kind: configMap("").Kind}, func(string) bool { return false })
		wants(t, "a list without it", l.heard(), "")
	})
}

func TestNoFindingIsLostWhileTheLedgerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &remembered{fails: errors.New("away")}
		s := newFindingScene(t, l)
		stop := s.start(t)
		for i := range 200 {
			s.say(fmt.Sprintf("x%03d", i), engine.Fail, engine.Pass)
		}
		s.say("x000", engine.Pass, engine.Pass) // it comes and goes unrecorded
		time.Sleep(time.Minute)
		wants(t, "while it is away", l.heard(), "")
		l.failing(nil)
		time.Sleep(time.Minute)
		if n := strings.Count(l.heard(), "finding-opened"); n != 199 {
			t.Errorf("%d findings were recorded, want 199", n)
		}
		l.failing(errors.New("away"))
		s.say("x001", engine.Pass, engine.Pass)
		time.Sleep(time.Minute)
		s.say("x001", engine.Fail, engine.Pass) // newer than what waits
		l.failing(nil)
		time.Sleep(time.Minute)
		wants(t, "what is as it was", l.heard(), "")
		stop()
		defer s.start(t)() // leads again: it asks anew
		s.say("x002", engine.Fail, engine.Pass)
		wants(t, "after another term", l.heard(), "finding-opened ConfigMap shop/x002 p/a ana")
	})
}
