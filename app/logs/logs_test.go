package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// written is a log without times.
type written struct {
	*slog.Logger
	*Limiter
	out  *bytes.Buffer
	stop func()
}

func start(t *testing.T, repeats int) *written {
	t.Helper()
	w := &written{out: &bytes.Buffer{}}
	next := slog.NewTextHandler(w.out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	var err error
	if w.Limiter, err = New(Options{Next: next, Repeats: repeats, Interval: time.Minute, Metrics: prometheus.NewPedanticRegistry()}); err != nil {
		t.Fatal(err)
	}
	w.Logger = slog.New(w.Limiter.Handler())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return w
}

// lines gives what was written since the last call.
func (w *written) lines() string {
	synctest.Wait()
	out := strings.TrimSpace(w.out.String())
	w.out.Reset()
	return out
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

func (w *written) refuse(n int, user string) {
	for i := range n {
		w.Info("refused", "uid", fmt.Sprint("u-", i), "kind", "Pod", "object", fmt.Sprint("Pod web/", i), "user", user)
	}
}

func TestRepeatedLinesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 2)
		w.refuse(5, "jane")
		w.refuse(1, "max")
		expect(t, "at once", w.lines(), `level=INFO msg=refused uid=u-0 kind=Pod object="Pod web/0" user=jane
level=INFO msg=refused uid=u-1 kind=Pod object="Pod web/1" user=jane
level=INFO msg=refused uid=u-0 kind=Pod object="Pod web/0" user=max`)
		time.Sleep(time.Minute)
		expect(t, "after a minute", w.lines(), `level=INFO msg=refused kind=Pod user=jane more=3 within=1m0s`)
		w.refuse(1, "jane")
		expect(t, "the next", w.lines(), `level=INFO msg=refused uid=u-0 kind=Pod object="Pod web/0" user=jane`)
		w.refuse(2, "jane")
		w.out.Reset()
		w.stop()
		expect(t, "at the end", w.lines(), `level=INFO msg=refused kind=Pod user=jane more=1 within=0s`)
		if n := testutil.ToFloat64(w.dropped.WithLabelValues("info")); n != 4 {
			t.Errorf("%v lines are counted, want 4", n)
		}
	})
}

func TestWhatIsAlike(t *testing.T) {
	failed := errors.New("away")
	for name, test := range map[string]struct {
		log  func(l *slog.Logger)
		want int // of two lines
	}{
		"the same":                   {func(l *slog.Logger) { l.Error("no", "error", failed); l.Error("no", "error", failed) }, 1},
		"another error":              {func(l *slog.Logger) { l.Error("no", "error", failed); l.Error("no", "error", errors.New("gone")) }, 2},
		"another level":              {func(l *slog.Logger) { l.Error("no"); l.Warn("no") }, 2},
		"another review":             {func(l *slog.Logger) { l.Warn("no", "uid", 1, "trace", "a"); l.Warn("no", "uid", 2, "trace", "b") }, 1},
		"another object in a review": {func(l *slog.Logger) { l.Warn("no", "uid", 1, "object", "a"); l.Warn("no", "uid", 1, "object", "b") }, 1},
		"another object":             {func(l *slog.Logger) { l.Warn("no", "object", "a"); l.Warn("no", "object", "b") }, 2},
		"another logger":             {func(l *slog.Logger) { l.With("part", "a").Warn("no"); l.With("part", "b").Warn("no") }, 2},
		"the same by another logger": {func(l *slog.Logger) { l.With("part", "a").Warn("no"); l.With("part", "a").Warn("no") }, 1},
		"another group":              {func(l *slog.Logger) { l.WithGroup("a").Warn("no", "n", 1); l.WithGroup("b").Warn("no", "n", 1) }, 2},
		"of debug, all":              {func(l *slog.Logger) { l.Debug("no"); l.Debug("no") }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, 1)
				test.log(w.Logger)
				if got := strings.Count(w.lines(), "msg=no"); got != test.want {
					t.Errorf("%d lines, want %d", got, test.want)
				}
				w.stop()
			})
		})
	}
}

// However many kinds of lines there are, what is kept of them has a bound, and no kind is lost.
func TestKindsHaveABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 1)
		const most = 3 * maxKinds
		for i := range most {
			w.Warn("no", "error", i)
		}
		if n := len(w.kinds); n != maxKinds+1 {
			t.Errorf("%d kinds are kept, want %d", n, maxKinds+1)
		}
		if n := strings.Count(w.lines(), "msg=no"); n != maxKinds+1 {
			t.Errorf("%d lines, want %d", n, maxKinds+1)
		}
		for i := range most {
			w.Warn(fmt.Sprint("other ", i))
		}
		if n := len(w.kinds); n != 2*maxKinds {
			t.Errorf("%d kinds are kept, want %d", n, 2*maxKinds)
		}
		if n := strings.Count(w.lines(), "other"); n != most {
			t.Errorf("%d lines, want %d", n, most)
		}
		w.stop()
		expect(t, "at the end", w.lines(), fmt.Sprintf("level=WARN msg=no more=%d within=0s", most-maxKinds-1))
	})
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	for want, o := range map[string]Options{
		"logs options: Next is missing":                          {},
		"logs options: Repeats is 0: expected a positive number": {Next: slog.DiscardHandler},
		"logs options: Interval is 0s: expected a positive time": {Next: slog.DiscardHandler, Repeats: 1},
	} {
		if _, err := New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
