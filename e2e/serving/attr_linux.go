package serving

import "syscall"

// childAttr keeps Ctrl-C in a terminal from the child, which is then stopped in order, and has the kernel kill it when
// the thread that started it ends.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
