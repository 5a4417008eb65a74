package controlplane

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// tinyModule is a module with one program, which prints its message.
func tinyModule(t *testing.T, message string) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "go.mod"), "module example.com/tiny\n\ngo 1.26\n")
	writeFile(t, filepath.Join(dir, "cmd", "tiny", "main.go"), tinySource(message))
	return dir
}

func tinySource(message string) string {
	return "package main\n\nvar version string\n\nfunc main() { print(\"" + message + "\", version) }\n"
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func output(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path).CombinedOutput()
	if err != nil {
		t.Fatalf("run %s: %v\n%s", path, err, out)
	}
	return string(out)
}

func tinyWorkshop(t *testing.T, dir string, out *buffer) *workshop {
	t.Helper()
	return &workshop{
		cache: tempCache(t), tool: goTool{dir: dir}, progress: newProgress(out),
		platform: goPlatform{GOVERSION: "go1", GOOS: "os", GOARCH: "arch"},
		versions: map[string]string{"example.com/tiny": "v1.2.3"},
	}
}

func tinyProgram() program {
	return program{
		name: "tiny", module: "example.com/tiny", pkg: "example.com/tiny/cmd/tiny",
		ldflags: func(v string) []string { return []string{"-X", "main.version=" + v} },
	}
}

func TestProgramIsBuiltOnceHoweverManyAskAtOnce(t *testing.T) {
	var out buffer
	w := tinyWorkshop(t, tinyModule(t, "hello "), &out)
	var group sync.WaitGroup
	paths := make([]string, 4)
	for i := range paths {
		group.Go(func() {
			var err error
			if paths[i], err = w.provide(t.Context(), tinyProgram()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, path := range paths {
		if path != paths[0] {
			t.Fatalf("paths differ: %v", paths)
		}
	}
	if got := output(t, paths[0]); got != "hello v1.2.3" {
		t.Errorf("the program prints %q", got)
	}
	if n := strings.Count(out.String(), "control plane: building tiny v1.2.3 (once, some minutes)\n"); n != 1 {
		t.Errorf("built %d times:\n%s", n, out.String())
	}
	if !strings.Contains(out.String(), "control plane: built tiny v1.2.3 in ") {
		t.Errorf("the end of the build is not told:\n%s", out.String())
	}
	before := out.String()
	if _, err := w.provide(t.Context(), tinyProgram()); err != nil || out.String() != before {
		t.Errorf("a cached program is not just found: %v\n%s", err, out.String())
	}
}

func TestProgramThatDoesNotCompileLeavesNothingBehind(t *testing.T) {
	var out buffer
	dir := tinyModule(t, "hello")
	writeFile(t, filepath.Join(dir, "cmd", "tiny", "main.go"), "package main\n\nfunc main() { oops }\n")
	w := tinyWorkshop(t, dir, &out)
	_, err := w.provide(t.Context(), tinyProgram())
	want := "build tiny: run go build: exit status 1\n# example.com/tiny/cmd/tiny\ncmd/tiny/main.go:3:15: undefined: oops"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
	files, err := filepath.Glob(filepath.Join(w.cache.programs(), "*", "*"))
	if err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	var out buffer
	w := tinyWorkshop(t, tinyModule(t, "hello"), &out)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.provide(ctx, tinyProgram())
	if !errors.Is(err, context.Canceled) || err.Error() != "build tiny: run go build: context canceled" {
		t.Errorf("error %v", err)
	}
}

func TestProgramOfAModuleThatIsNotRequiredIsAnError(t *testing.T) {
	var out buffer
	w := tinyWorkshop(t, "/somewhere", &out)
	w.versions = nil
	_, err := w.provide(t.Context(), tinyProgram())
	want := "build tiny: /somewhere/go.mod requires no module example.com/tiny"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestCacheKeyChangesWithAllThatDecidesTheBuild(t *testing.T) {
	p, platform := tinyProgram(), goPlatform{GOVERSION: "go1.26.0", GOOS: "linux", GOARCH: "amd64"}
	keys := map[string]string{}
	add := func(what, key string) {
		if !strings.HasPrefix(key, "tiny-v") {
			t.Errorf("%s: key %s does not name program and version", what, key)
		}
		if other, ok := keys[key]; ok {
			t.Errorf("%s and %s have the same key %s", what, other, key)
		}
		keys[key] = what
	}
	args := buildArgs([]string{"-X", "a=b"})
	add("base", cacheKey(p, "v1.0.0", platform, args))
	add("another version", cacheKey(p, "v1.0.1", platform, args))
	add("another linker flag", cacheKey(p, "v1.0.0", platform, buildArgs([]string{"-X", "a=c"})))
	for what, other := range map[string]goPlatform{
		"another Go":           {"go1.26.1", "linux", "amd64"},
		"another system":       {"go1.26.0", "darwin", "amd64"},
		"another architecture": {"go1.26.0", "linux", "arm64"},
	} {
		add(what, cacheKey(p, "v1.0.0", other, args))
	}
	p.pkg += "/other"
	add("another package", cacheKey(p, "v1.0.0", platform, args))
}

func TestCommandOfTheCloneIsBuiltAnewWhenItsSourceHasChanged(t *testing.T) {
	dir := tinyModule(t, "first")
	b := Builder{CacheDir: t.TempDir(), Progress: t.Output()}
	path, err := b.command(t.Context(), dir, "./cmd/tiny")
	if err != nil {
		t.Fatal(err)
	}
	if got := output(t, path); got != "first" {
		t.Errorf("the program prints %q", got)
	}
	writeFile(t, filepath.Join(dir, "cmd", "tiny", "main.go"), tinySource("second"))
	again, err := b.command(t.Context(), dir, "./cmd/tiny")
	if err != nil || again != path {
		t.Fatalf("second build: %q, %v; want %q", again, err, path)
	}
	if got := output(t, path); got != "second" {
		t.Errorf("the program prints %q after the change", got)
	}
	other, err := b.command(t.Context(), tinyModule(t, "other clone"), "./cmd/tiny")
	if err != nil || other == path {
		t.Errorf("another clone's program is at %q, %v; this one's at %q", other, err, path)
	}
}

func TestUnknownProgramIsAnErrorThatNamesTheKnown(t *testing.T) {
	_, err := Builder{CacheDir: t.TempDir()}.Tool(t.Context(), "kubelet")
	want := `find program: no "kubelet" among etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, kubectl, helm`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestEveryProgramIsPinnedByTheModule(t *testing.T) {
	shop, err := Builder{CacheDir: t.TempDir()}.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range catalog() {
		if shop.versions[p.module] == "" {
			t.Errorf("%s: go.mod requires no %s", p.name, p.module)
		}
	}
}

func TestModuleIsFoundFromInsideAndFromTheClone(t *testing.T) {
	root := t.TempDir()
	module := filepath.Join(root, "e2e")
	writeFile(t, filepath.Join(root, "go.mod"), "module github.com/holdfast-io/holdfast\n")
	writeFile(t, filepath.Join(module, "go.mod"), moduleLine)
	deep := filepath.Join(module, "a", "b")
	other := filepath.Join(root, "docs")
	for _, dir := range []string{deep, other} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{root, module, deep, other} {
		t.Chdir(dir)
		if got, err := findModule(); err != nil || got != module {
			t.Errorf("from %s: %q, %v; want %q", dir, got, err, module)
		}
	}
	outside := t.TempDir()
	t.Chdir(outside)
	want := "find the e2e module: " + outside + " is not inside a clone of Holdfast"
	if _, err := findModule(); err == nil || err.Error() != want {
		t.Errorf("from outside: %v, want %s", err, want)
	}
}
