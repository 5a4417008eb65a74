package postgres

import "syscall"

// immediately is the signal by which the server ends at once, and recovers at its next start.
const immediately = syscall.SIGQUIT

// attr has the server run as the user, and the kernel end it when the thread that started it ends.
func (c credential) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if c.set {
		attr.Credential = &syscall.Credential{Uid: c.uid, Gid: c.gid}
	}
	return attr
}
