package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// lifecycle runs the parts of a long-lived command. Parts are stopped in the reverse order of their start,
// one after the other, so that nothing loses what it stands on.
type lifecycle struct {
	ctx    context.Context // values only: a part ends when it is its turn
	log    *slog.Logger
	parts  []*part
	failed chan error
}

type part struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error
}

func newLifecycle(ctx context.Context, log *slog.Logger) *lifecycle {
	return &lifecycle{ctx: context.WithoutCancel(ctx), log: log, failed: make(chan error, 1)}
}

// start runs a part in a goroutine of its own. An error from it ends the whole.
func (l *lifecycle) start(name string, run func(context.Context) error) {
	ctx, stop := context.WithCancel(l.ctx)
	p := &part{name: name, stop: stop, done: make(chan struct{})}
	l.parts = append(l.parts, p)
	go func() {
		defer close(p.done)
		if p.err = run(ctx); p.err == nil {
			return
		}
		p.err = fmt.Errorf("%s: %w", p.name, p.err)
		select {
		case l.failed <- p.err:
		default: // another part has failed already
		}
	}()
}

// wait blocks until the context ends or a part fails, then stops all and joins their errors.
func (l *lifecycle) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		l.log.Info("stopping")
	case err := <-l.failed:
		l.log.Error("stopping, because a part has failed", "error", err)
	}
	return l.stop()
}

func (l *lifecycle) stop() error {
	var errs []error
	for i := len(l.parts) - 1; i >= 0; i-- {
		p := l.parts[i]
		l.log.Debug("stopping a part", "part", p.name)
		p.stop()
		<-p.done
		errs = append(errs, p.err)
	}
	l.parts = nil
	return errors.Join(errs...)
}
