package podsecurity

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// The values of settings as exclusions write them: texts, and none for what is not set or empty.

func text(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func boolean(b *bool) []string {
	if b == nil {
		return nil
	}
	return []string{strconv.FormatBool(*b)}
}

func integer(n *int64) []string {
	if n == nil {
		return nil
	}
	return []string{strconv.FormatInt(*n, 10)}
}

func hostProcess(w *corev1.WindowsSecurityContextOptions) []string {
	if w == nil {
		return nil
	}
	return boolean(w.HostProcess)
}

func seccomp(p *corev1.SeccompProfile) []string {
	if p == nil {
		return nil
	}
	return text(string(p.Type))
}

func appArmor(p *corev1.AppArmorProfile) []string {
	if p == nil {
		return nil
	}
	return text(string(p.Type))
}

// label is one part of SELinux options.
type label struct {
	name, value string
	alone       *corev1.SELinuxOptions
}

func labels(o *corev1.SELinuxOptions) []label {
	if o == nil {
		return nil
	}
	return []label{
		{"type", o.Type, &corev1.SELinuxOptions{Type: o.Type}},
		{"user", o.User, &corev1.SELinuxOptions{User: o.User}},
		{"role", o.Role, &corev1.SELinuxOptions{Role: o.Role}},
	}
}
