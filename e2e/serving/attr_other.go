//go:build unix && !linux

package serving

import "syscall"

// childAttr keeps Ctrl-C in a terminal from the child, which is then stopped in order.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
