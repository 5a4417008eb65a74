//go:build unix && !linux

package controlplane

import "syscall"

// childAttr puts a child into its own process group, so that Ctrl-C in a terminal reaches this process alone, which then
// stops the children in order. There is no parent death signal here: only Stop ends the children.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
