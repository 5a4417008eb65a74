package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// The log names objects, policies and rules. It never shows an object, nor a message, which may be made of
// one. Each line about a review has its uid, which the API server's audit log has too (see reviewKey), and the trace if there
// is one. What two lines have in common but uid, object and trace tells whether they are alike (see package logs).

func (c *call) attrs(req *engine.Request) []any {
	kind := req.Kind.Kind
	if req.SubResource != "" {
		kind += "/" + req.SubResource
	}
	return append(c.review(), "operation", string(req.Operation), "kind", kind, "namespace", req.Namespace,
		"object", describe(req), "user", req.User.Username, "dryRun", req.DryRun)
}

// review is what every line about a review begins with.
func (c *call) review() []any {
	const room = 32 // for all that lines say
	out := append(make([]any, 0, room), "webhook", c.hook.String(), "uid", c.uid)
	if c.trail != nil {
		out = append(out, "trace", c.trail.id())
	}
	return out
}

func (h *Handler) logDenial(ctx context.Context, c *call, req *engine.Request, denials []*engine.Decision) {
	if !h.opts.Logger.Enabled(ctx, slog.LevelInfo) {
		return
	}
	rules := make([]string, len(denials))
	for i, d := range denials {
		rules[i] = d.Rule.ID()
	}
	h.opts.Logger.InfoContext(ctx, "refused a write", append(c.attrs(req), "rules", rules)...)
}

func (h *Handler) logRule(ctx context.Context, c *call, req *engine.Request, d *engine.Decision) {
	if !h.opts.Logger.Enabled(ctx, slog.LevelError) {
		return
	}
	h.opts.Logger.ErrorContext(ctx, "a rule could not be evaluated", append(c.attrs(req),
		"policyKind", d.Policy.Kind, "policy", d.Policy.Key(), "rule", d.Rule.Name, "failurePolicy", string(d.Policy.FailurePolicy), "error", shown(req, d.Err))...)
}

func (h *Handler) logFailure(ctx context.Context, c *call, req *engine.Request, err error) {
	h.opts.Logger.ErrorContext(ctx, "an admission review could not be evaluated", append(c.attrs(req), "error", shown(req, err))...)
}

// shown keeps what an error may quote of a Secret out of the log.
func shown(req *engine.Request, err error) error {
	if isSecret(req) {
		return errors.New("not shown, because the object is a Secret")
	}
	return err
}

func isSecret(req *engine.Request) bool { return req.Kind.Group == "" && req.Kind.Kind == "Secret" }

// logPanic writes where it happened. The value of a panic may be made of an object: only what the Go
// runtime says is shown, of others the type.
func (h *Handler) logPanic(ctx context.Context, c *call, p any) {
	text := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		text = err.Error()
	}
	h.opts.Logger.ErrorContext(ctx, "an admission review made the handler panic", append(c.review(),
		"panic", text, "stack", string(debug.Stack()))...)
}

// shedLog lets one line through in a while: under overload, a line for each review would be load itself.
type shedLog struct {
	mu    sync.Mutex
	next  time.Time
	count int
}

const shedLogEvery = 10 * time.Second

func (h *Handler) logShed(c *call) {
	now := h.opts.Inputs.Now()
	h.sheds.mu.Lock()
	h.sheds.count++
	count := h.sheds.count
	due := !now.Before(h.sheds.next)
	if due {
		h.sheds.next, h.sheds.count = now.Add(shedLogEvery), 0
	}
	h.sheds.mu.Unlock()
	if due {
		h.opts.Logger.Warn("too many admission reviews are in hand: settled by failurePolicy", "webhook", c.hook.String(),
			"failurePolicy", string(c.failurePolicy()), "since the last such line", count, "retryAfterSeconds", 1)
	}
}
