package controlplane

import (
	"fmt"
	"os"
	"syscall"
)

// Pause stops a component where it stands, as a machine that is short of time does, until Resume. It keeps its
// connections and answers nothing.
func (cp *ControlPlane) Pause(c Component) error { return cp.signal(c, syscall.SIGSTOP) }

// Resume lets a paused component go on.
func (cp *ControlPlane) Resume(c Component) error { return cp.signal(c, syscall.SIGCONT) }

func (cp *ControlPlane) signal(c Component, s os.Signal) error {
	cp.mu.Lock()
	ch := cp.children[c]
	cp.mu.Unlock()
	if ch == nil || !ch.alive() {
		return fmt.Errorf("signal %s: it does not run", c)
	}
	if err := ch.process.Signal(s); err != nil {
		return fmt.Errorf("signal %s: %w", c, err)
	}
	return nil
}
