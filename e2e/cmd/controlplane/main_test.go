package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongUseIsToldByName(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"an argument":          {[]string{"start"}, `unexpected argument "start"`},
		"an unknown flag":      {[]string{"-frobnicate"}, "flag provided but not defined: -frobnicate"},
		"an unknown component": {[]string{"-components=kubelet"}, `-components: options: Components: unknown component "kubelet"; known are etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok`},
		"an unknown tool":      {[]string{"-tool=docker"}, `find program: no "docker" among etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, kubectl, helm`},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), tc.args, &stdout, &stderr)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %s", err, tc.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout: %s", &stdout)
			}
		})
	}
}

// interrupter stands for the person who presses Ctrl-C when told how to stop.
type interrupter struct {
	bytes.Buffer
	interrupt func()
}

func (i *interrupter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "Ctrl-C") {
		i.interrupt()
	}
	return i.Buffer.Write(p)
}

func TestRunsUntilInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout bytes.Buffer
	stderr := interrupter{interrupt: cancel}
	dir := t.TempDir()
	if err := run(ctx, []string{"-components=", "-dir", dir}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, &stderr.Buffer)
	}
	t.Log(stderr.String())
	if want := filepath.Join(dir, "admin.kubeconfig") + "\n"; stdout.String() != want {
		t.Errorf("stdout %q, want %q", &stdout, want)
	}
	if !strings.Contains(stderr.String(), "control plane: waiting for etcd, kube-apiserver\n") {
		t.Errorf("it does not say what it waits for:\n%s", &stderr.Buffer)
	}
}
