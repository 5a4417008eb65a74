package lookup

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/holdfast-io/holdfast/engine"
)

var (
	errNamespacesUnread   = errors.New("the namespaces have not been read yet")
	errRoleBindingsUnread = errors.New("the role bindings have not been read yet")

	// errStopped is why what was stopped has no more answers.
	errStopped = errors.New("it was stopped")

	// errForbidden is wrapped where the cluster does not let us read.
	errForbidden = errors.New("forbidden")
	// errRefused is wrapped where we do not let a policy ask: an address, a header, a write.
	errRefused = errors.New("refused")
	// errTooLarge is wrapped where an answer is longer than what it may be.
	errTooLarge = errors.New("too large")
)

// labeled is an error that is another one as well, for errors.Is, without saying so in its text.
type labeled struct {
	error
	as error
}

func (l labeled) Is(target error) bool { return target == l.as }
func (l labeled) Unwrap() error        { return l.error }

// refusef makes an error that says what a policy may not ask.
func refusef(format string, args ...any) error {
	return labeled{fmt.Errorf(format, args...), errRefused}
}

// tooLargef makes an error that says how large something is, and how large it may be.
func tooLargef(format string, args ...any) error {
	return labeled{fmt.Errorf(format, args...), errTooLarge}
}

// late says that nothing came within the time of a look-up, where that is what went wrong.
func late(ctx context.Context, err error, timeout time.Duration) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return labeled{fmt.Errorf("no answer in time (%s at most)", timeout), context.DeadlineExceeded}
	}
	return err
}

// megabytes writes a number of bytes for an error.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// outcome names how a look-up ended, for metrics.
func outcome(err error) string {
	switch {
	case err == nil:
		return "found"
	case errors.Is(err, engine.ErrNotFound):
		return "missing"
	case errors.Is(err, errForbidden) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return "forbidden"
	case errors.Is(err, errRefused):
		return "refused"
	case errors.Is(err, errTooLarge):
		return "too_large"
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return "timeout"
	default:
		return "error"
	}
}
