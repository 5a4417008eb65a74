package lookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/expr"
)

func query(t *testing.T, text string) *expr.Query {
	t.Helper()
	q, err := expr.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// watching is an entry that watches a resource. Its digest is made of what a test varies.
func watching(name string, resource schema.GroupVersionResource, namespace string, projections ...engine.Projection) *engine.GlobalContext {
	e := &engine.GlobalContext{Name: name, Digest: name + resource.String() + namespace, Resource: &engine.WatchedResource{Resource: resource, Namespace: namespace}, Projections: projections}
	for _, p := range projections {
		e.Digest += p.Name + p.Query.String()
	}
	return e
}

func TestAnEntryIsTheListOfAResource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("ConfigMap", "b", "1", nil), object("ConfigMap", "a", "2", map[string]any{"n": int64(2)})).start(t)
		names := engine.Projection{Name: "names", Query: query(t, "[].metadata.name")}
		w.SetEntries([]*engine.GlobalContext{
			watching("all", resourceOfConfigMaps, "", names, engine.Projection{Name: "wrong", Query: query(t, "[0].none.x")}),
			watching("of.b", resourceOfConfigMaps, "b", names),
			watching("of", resourceOfConfigMaps, "none"),
			watching("of", widgets(0), ""), // the first of a name counts
		})
		ask := func(name string) string {
			got, err := w.GlobalContext(t.Context(), name)
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(got)
		}
		check := func(when string, want map[string]string) {
			for name, value := range want {
				if got := ask(name); got != value {
					t.Errorf("%s: %s is %s, want %s", when, name, got, value)
				}
			}
		}
		check("first", map[string]string{
			"all":       "[map[apiVersion:v1 kind:ConfigMap metadata:map[name:2 namespace:a] n:2] map[apiVersion:v1 kind:ConfigMap metadata:map[name:1 namespace:b]]]",
			"all.names": "[2 1]", "of.b": "[map[apiVersion:v1 kind:ConfigMap metadata:map[name:1 namespace:b]]]", "of": "[]",
			"none": "global context entry none does not exist", "none.names": "global context entry none does not exist",
			"all.none":  "projection none of global context entry all does not exist",
			"all.wrong": `projection wrong: [0].none.x: not found: Unknown key "none" in path`,
			"of.names":  "projection names of global context entry of does not exist",
		})
		if _, err := w.dynamic.Resource(resourceOfConfigMaps).Namespace("a").Create(t.Context(), object("ConfigMap", "a", "0", nil), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := w.dynamic.Resource(resourceOfConfigMaps).Namespace("b").Delete(t.Context(), "1", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		check("after changes", map[string]string{"all.names": "[0 2]", "of.b": "[]"})
		if diff := cmp.Diff([]EntryStatus{{Name: "all"}, {Name: "of"}, {Name: "of.b"}}, w.Entries()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

// An entry that stays as it was goes on with what it has; one that changes or goes is stopped.
func TestEntriesComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("ConfigMap", "a", "1", nil)).start(t)
		length := func(text string) engine.Projection { return engine.Projection{Name: "n", Query: query(t, text)} }
		kept, changed := watching("kept", resourceOfConfigMaps, "", length("length(@)")), watching("changed", resourceOfConfigMaps, "")
		w.SetEntries([]*engine.GlobalContext{kept, changed, watching("gone", resourceOfConfigMaps, "")})
		if err := w.WaitForSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := *w.entries.sources.Load()
		kept = watching("kept", resourceOfConfigMaps, "", length("length(@)")) // compiled anew, the same in words
		changed = watching("changed", resourceOfConfigMaps, "a")
		w.dynamic.ClearActions()
		w.SetEntries([]*engine.GlobalContext{changed, kept})
		synctest.Wait()
		after := *w.entries.sources.Load()
		if after["kept"].source != before["kept"].source || after["changed"].source == before["changed"].source {
			t.Error("the wrong entries were opened anew")
		}
		if n := w.count("list") + w.count("watch"); n > 2 {
			t.Errorf("%d requests for one entry that has changed", n)
		}
		if _, err := w.GlobalContext(t.Context(), "gone"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("an entry that has gone: %v", err)
		}
		w.SetEntries([]*engine.GlobalContext{watching("kept", resourceOfConfigMaps, "", length("length(@) | @"))})
		if source := (*w.entries.sources.Load())["kept"].source; source == after["kept"].source {
			t.Error("another projection, and the same entry")
		}
		w.SetEntries(nil)
		if _, err := after["kept"].get(t.Context()); !errors.Is(err, errStopped) {
			t.Errorf("who still asks for an entry that has gone: %v", err)
		}
		if len(w.Entries()) != 0 {
			t.Error("entries are left")
		}
	})
}

// An entry that cannot be read keeps nobody waiting but those who ask for it, and comes when it can be.
func TestAnEntryThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("ConfigMap", "a", "1", nil))
		granted := w.refuse("list", "configmaps")
		w.fail("list", "widgets0", errors.New("busy"))
		w.options.Timeout = time.Second
		w.start(t)
		w.SetEntries([]*engine.GlobalContext{watching("forbidden", resourceOfConfigMaps, ""), watching("busy", widgets(0), "")})
		if err := w.WaitForSync(t.Context()); err != nil || !w.Synced() {
			t.Errorf("it keeps us from being ready: %v", err)
		}
		for name, want := range map[string]string{
			"forbidden": `global context entry forbidden: failed to list /v1, Resource=configmaps: configmaps "x" is forbidden: no right`,
			"busy":      "global context entry busy: no answer in time (1s at most)",
		} {
			_, err := w.GlobalContext(t.Context(), name)
			says(t, err, want)
		}
		want := []EntryStatus{
			{Name: "busy", Error: "failed to list x.test/v1, Resource=widgets0: busy"},
			{Name: "forbidden", Error: `failed to list /v1, Resource=configmaps: configmaps "x" is forbidden: no right`},
		}
		if diff := cmp.Diff(want, w.Entries()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		granted.Store(true)
		time.Sleep(2 * retryAfter)
		if list, err := w.GlobalContext(t.Context(), "forbidden"); err != nil || len(list.([]any)) != 1 {
			t.Errorf("a right that came later: %v, %v", list, err)
		}
		if s := w.Entries()[1]; s.Error != "" {
			t.Errorf("status %+v", s)
		}
	})
}

// polling is an entry whose call does what answer says.
func polling(t *testing.T, call *engine.RepeatedCall, answer func(n int) (any, error)) (*entries, *int) {
	t.Helper()
	run, asked := newTasks(), 0
	e := newEntries(run, &objects{timeout: 5 * time.Second}, func(context.Context, *engine.Call) (any, error) {
		asked++
		return answer(asked)
	}, func(error) {}, slog.New(slog.DiscardHandler))
	t.Cleanup(run.close)
	e.set([]*engine.GlobalContext{{Name: "polled", Call: call, Projections: []engine.Projection{{Name: "a", Query: query(t, "a")}}}})
	return e, &asked
}

func TestAnEntryIsRefreshed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begun := time.Now()
		e, asked := polling(t, &engine.RepeatedCall{Refresh: time.Minute, Retries: 3}, func(n int) (any, error) { return map[string]any{"a": float64(n)}, nil })
		for n := range 3 {
			got, err := e.value(t.Context(), "polled.a")
			if err != nil || got != float64(n+1) {
				t.Errorf("got %v, %v", got, err)
			}
			if s := e.status()[0]; s.Error != "" || s.Refreshed.Sub(begun) != time.Duration(n)*time.Minute {
				t.Errorf("status %+v", s)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if n, bytes := e.held(); n != 1 || bytes == 0 {
			t.Errorf("%d values of %d bytes are held", n, bytes)
		}
		e.set(nil)
		before := *asked
		time.Sleep(10 * time.Minute)
		if *asked != before {
			t.Error("an entry that has gone is refreshed")
		}
	})
}

func TestAnEntryThatGoesBeforeItIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		run := newTasks()
		t.Cleanup(run.close)
		e := newEntries(run, &objects{timeout: time.Minute}, func(ctx context.Context, _ *engine.Call) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, func(error) {}, slog.New(slog.DiscardHandler))
		e.set([]*engine.GlobalContext{{Name: "slow", Call: &engine.RepeatedCall{Refresh: time.Hour}}})
		answer := make(chan error, 1)
		go func() {
			_, err := e.value(t.Context(), "slow")
			answer <- err
		}()
		synctest.Wait()
		e.set(nil)
		says(t, <-answer, "global context entry slow: it was stopped")
	})
}

func TestARefreshIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begun := time.Now()
		e, asked := polling(t, &engine.RepeatedCall{Refresh: time.Minute, Retries: 3}, func(n int) (any, error) {
			if n < 3 {
				return nil, errors.New("busy")
			}
			return map[string]any{"a": "b"}, nil
		})
		if got, err := e.value(t.Context(), "polled.a"); err != nil || got != "b" || *asked != 3 {
			t.Errorf("got %v, %v after %d attempts", got, err, *asked)
		}
		if took := time.Since(begun); took != 3*firstRetry {
			t.Errorf("it took %s", took)
		}
	})
}

// The last good answer is kept for a while, and not for ever.
func TestAnEntryThatCanNoLongerBeRefreshed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, _ := polling(t, &engine.RepeatedCall{Refresh: time.Minute}, func(n int) (any, error) {
			if n == 1 || n > 12 {
				return map[string]any{"a": float64(n)}, nil
			}
			return nil, errors.New("busy")
		})
		said := func() string {
			synctest.Wait()
			got, err := e.value(t.Context(), "polled.a")
			return fmt.Sprintf("%v, %v, %s", got, err, e.status()[0].Error)
		}
		if got := said(); got != "1, <nil>, " {
			t.Errorf("first: %s", got)
		}
		time.Sleep(5 * time.Minute)
		if got := said(); got != "1, <nil>, busy" {
			t.Errorf("after 5 minutes: %s", got)
		}
		time.Sleep(time.Minute)
		if got := said(); got != "<nil>, global context entry polled: the last answer is 6m0s old: busy, busy" {
			t.Errorf("after 6 minutes: %s", got)
		}
		time.Sleep(6 * time.Minute)
		if got := said(); got != "13, <nil>, " {
			t.Errorf("when it works again: %s", got)
		}
	})
}

func TestAnEntryThatWasNeverAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, asked := polling(t, &engine.RepeatedCall{Refresh: time.Nanosecond, Retries: 99}, func(int) (any, error) { return nil, errors.New("busy") })
		if e.settled() {
			t.Error("settled before the first attempt has ended")
		}
		_, err := e.value(t.Context(), "polled")
		says(t, err, "global context entry polled: no answer in time (5s at most)")
		if err := e.wait(t.Context()); err != nil || !e.settled() || *asked != maxRetries {
			t.Errorf("not settled after %d attempts: %v", *asked, err)
		}
		_, err = e.value(t.Context(), "polled")
		says(t, err, "global context entry polled: busy")
	})
}

func TestTheNumberOfEntriesIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		run := newTasks()
		t.Cleanup(run.close)
		e := newEntries(run, &objects{timeout: time.Minute}, func(context.Context, *engine.Call) (any, error) { return "x", nil }, func(error) {}, slog.New(slog.DiscardHandler))
		wanted := make([]*engine.GlobalContext, maxEntries+1)
		for i := range wanted {
			wanted[i] = &engine.GlobalContext{Name: fmt.Sprintf("%03d", i), Call: &engine.RepeatedCall{Refresh: time.Hour}}
		}
		e.set(wanted)
		if got, err := e.value(t.Context(), wanted[maxEntries-1].Name); err != nil || got != "x" {
			t.Errorf("the last that may be: %v, %v", got, err)
		}
		_, err := e.value(t.Context(), wanted[maxEntries].Name)
		says(t, err, "global context entry 128: there are more than 128 global context entries")
	})
}
