package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// trace notes what parts do, in order.
type trace struct {
	mu    sync.Mutex
	lines []string
}

func (t *trace) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
}

func (t *trace) part(name string, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		t.add(name + " stops")
		return err
	}
}

func TestPartsStopInReverseOrderOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var got trace
		l := newLifecycle(ctx, slog.New(slog.DiscardHandler))
		for _, name := range []string{"certificates", "server", "registrar"} {
			l.start(name, got.part(name, nil))
		}
		cancel()
		if err := l.wait(ctx); err != nil {
			t.Fatal(err)
		}
		want := []string{"registrar stops", "server stops", "certificates stops"}
		if !slices.Equal(got.lines, want) {
			t.Errorf("got %q, want %q", got.lines, want)
		}
	})
}

func TestAFailingPartEndsAllAndErrorsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got trace
		l := newLifecycle(t.Context(), slog.New(slog.DiscardHandler))
		l.start("certificates", got.part("certificates", errors.New("cannot be saved")))
		l.start("server", func(context.Context) error { return errors.New("address in use") })
		err := l.wait(t.Context())
		if want := "server: address in use\ncertificates: cannot be saved"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if want := []string{"certificates stops"}; !slices.Equal(got.lines, want) {
			t.Errorf("got %q, want %q", got.lines, want)
		}
	})
}

func TestAPartThatEndsByItselfEndsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var got trace
		l := newLifecycle(ctx, slog.New(slog.DiscardHandler))
		l.start("server", got.part("server", nil))
		l.start("one shot", func(context.Context) error { return nil })
		waited := make(chan error, 1)
		go func() { waited <- l.wait(ctx) }()
		synctest.Wait()
		select {
		case err := <-waited:
			t.Fatal("ended early:", err)
		default:
		}
		cancel()
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
	})
}
