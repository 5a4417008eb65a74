package controlplane

import "errors"

// ErrStopped is the answer when something is asked of a control plane that Stop has stopped.
var ErrStopped = errors.New("the control plane has been stopped")

var (
	// errNoPort: nothing is left to hand out.
	errNoPort = errors.New("no free port left")
	// errLocked: another open file holds the lock.
	errLocked = errors.New("locked by another")
	// errNoAudit: the control plane was started without an audit policy.
	errNoAudit = errors.New("Options.AuditPolicy is empty")
	// errEnded: the process whose readiness is waited for is gone.
	errEnded = errors.New("the process has ended")
)
