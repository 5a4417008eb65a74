//go:build unix && !linux

package postgres

import "syscall"

// immediately is the signal by which the server ends at once, and recovers at its next start.
const immediately = syscall.SIGQUIT

// attr has the server run as the user.
func (c credential) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if c.set {
		attr.Credential = &syscall.Credential{Uid: c.uid, Gid: c.gid}
	}
	return attr
}
