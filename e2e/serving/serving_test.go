package serving

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// program writes a shell script that takes the place of holdfast.
func program(t *testing.T, text string) Options {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return Options{Binary: path, StateDir: filepath.Join(dir, "state"), LogPath: filepath.Join(dir, "log")}
}

// answer answers /readyz in the program's place.
func answer(t *testing.T, o *Options) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with the test
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	o.MetricsPort = l.Addr().(*net.TCPAddr).Port
}

func TestStartFailsAtOnceWhenTheProgramEnds(t *testing.T) {
	o := program(t, "echo the bundle cannot be loaded >&2; exit 2\n")
	_, err := Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "it ended: exit status 2") || !strings.Contains(err.Error(), "the bundle cannot be loaded") {
		t.Errorf("got %v", err)
	}
}

func TestStopTellsHowTheProgramEnded(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"in order":       {"trap 'exit 0' TERM\necho trapped\nwhile :; do :; done\n", ""},
		"with a failure": {"trap 'exit 2' TERM\necho trapped\nwhile :; do :; done\n", "stop holdfast: it ended with exit status 2"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			o := program(t, tc.script)
			answer(t, &o)
			p, err := Start(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Kill)
			err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(context.Context) (bool, error) {
				return strings.Contains(p.Log(), "trapped"), nil
			})
			if err != nil {
				t.Fatalf("the script did not begin: %v", err)
			}
			err = p.Stop(ctx)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
