package app

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTestsRunAgainWhenAFileChanges(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const policy = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec:\n  rules:\n    - name: r\n      match: {any: [{resources: {kinds: [Pod]}}]}\n      validate: {message: m, pattern: {metadata: {name: NAME}}}\n"
	write("kyverno-test.yaml", "policies: [policy.yaml]\nresources: [pod.yaml]\nresults: [{policy: p, rule: r, kind: Pod, resources: [a], result: pass}]\n")
	write("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")
	write("policy.yaml", strings.Replace(policy, "NAME", "b", 1))

	const patience = 30 * time.Second // a stuck test ends
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan Exit, 1)
	go func() {
		exit, err := Test(ctx, TestOptions{Paths: []string{dir}, FileName: TestFileName, Output: Table, Watch: true}, IO{Out: in, Width: 80})
		_ = in.CloseWithError(err) // a pipe's writer closes without fail
		ended <- exit
	}()
	lines := bufio.NewScanner(out)
	until := func(want string) {
		t.Helper()
		var seen []string
		for lines.Scan() {
			seen = append(seen, lines.Text())
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the output ended without %q: %v\n%s", want, lines.Err(), strings.Join(seen, "\n"))
	}
	until("0 passed, 1 failed, 0 in error, 0 skipped")
	// The watch begins after the answer is written: a file is written until it is noticed.
	go func() {
		tick := time.NewTicker(3 * settle)
		defer tick.Stop()
		for {
			if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(strings.Replace(policy, "NAME", "a", 1)), 0o600); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	until(clearScreen + filepath.ToSlash(filepath.Join(dir, "kyverno-test.yaml")))
	until("1 passed, 0 failed, 0 in error, 0 skipped")
	cancel()
	if _, err := io.Copy(io.Discard, out); err != nil { // of a run that had begun
		t.Error(err)
	}
	if exit := <-ended; exit != Clean {
		t.Errorf("exit code %d, want that of the last run, %d", exit, Clean)
	}
}

func TestTestOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		opts TestOptions
		want string
	}{
		"something must be tested":          {TestOptions{}, "nothing to test: expected test files, or folders with kyverno-test.yaml"},
		"the expression must be one":        {TestOptions{Paths: []string{"a"}, Run: "("}, "run: error parsing regexp: missing closing ): `(`"},
		"paths and an expression are sound": {TestOptions{Paths: []string{"a"}, Run: "^a/"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := tc.opts.Validate(); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
