package controlplane

import "syscall"

// childAttr puts a child into its own process group, so that Ctrl-C in a terminal reaches this process alone, which then
// stops the children in order; and has the kernel kill it when the thread that started it ends (see tied).
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
