package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// moduleLine opens the go.mod of the module that pins the components.
const moduleLine = "module github.com/holdfast-io/holdfast/e2e\n"

// findModule gives the directory of the e2e module: the working directory, one above it, or the e2e folder of one above.
func findModule() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the e2e module: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		for _, candidate := range []string{dir, filepath.Join(dir, "e2e")} {
			data, err := os.ReadFile(filepath.Join(candidate, "go.mod"))
			if err == nil && strings.HasPrefix(string(data), moduleLine) {
				return candidate, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the e2e module: %s is not inside a clone of Holdfast", start)
		}
	}
}

// goTool runs the go command in one directory.
type goTool struct{ dir string }

// run gives the command's standard output. A cancelled context kills the compilers that the command has started, too.
func (g goTool) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = g.dir
	// One set of build settings for all programs, so that they share compiled packages. A workspace file above the
	// clone must not change what is built.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.SysProcAttr = childAttr()
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := runTied(cmd)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("run go %s: %w", args[0], context.Cause(ctx))
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("run go %s: the go command is needed to build the programs: %w", args[0], err)
	case err != nil:
		return nil, fmt.Errorf("run go %s: %w\n%s", args[0], err, tail(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// goPlatform is what `go env` says about the builds to come.
type goPlatform struct{ GOVERSION, GOOS, GOARCH string }

func (g goTool) platform(ctx context.Context) (goPlatform, error) {
	var p goPlatform
	out, err := g.run(ctx, "env", "-json", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(out, &p); err != nil {
		return p, fmt.Errorf("read the answer of go env: %w", err)
	}
	return p, nil
}

// versions gives the version of each module that go.mod requires.
func (g goTool) versions(ctx context.Context) (map[string]string, error) {
	out, err := g.run(ctx, "mod", "edit", "-json")
	if err != nil {
		return nil, err
	}
	var file struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &file); err != nil {
		return nil, fmt.Errorf("read the answer of go mod edit: %w", err)
	}
	versions := make(map[string]string, len(file.Require))
	for _, r := range file.Require {
		versions[r.Path] = r.Version
	}
	return versions, nil
}

// tail keeps the last lines of a log or of a compiler's output: enough to see the cause, not enough to bury it.
func tail(data []byte) string {
	const lines, limit = 25, 8 << 10
	data = data[max(0, len(data)-limit):]
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
