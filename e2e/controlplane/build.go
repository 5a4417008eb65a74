package controlplane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Builder builds programs once and keeps them in a cache outside the tree.
// Two builders, in one process or in two, never disturb each other: one builds, the other waits and says so.
type Builder struct {
	// CacheDir: see Options.CacheDir.
	CacheDir string
	// Progress receives a line for each build. Default: standard error.
	Progress io.Writer
}

// Tool gives the path of a program, which it builds if the cache has none of the right version: helm, kubectl, etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler or kwok.
func Tool(ctx context.Context, name string) (string, error) { return Builder{}.Tool(ctx, name) }

// Tool is the function Tool with this builder's cache and progress.
func (b Builder) Tool(ctx context.Context, name string) (string, error) {
	paths, err := b.Tools(ctx, name)
	return paths[name], err
}

// Tools builds several programs and gives their paths by name.
func (b Builder) Tools(ctx context.Context, names ...string) (map[string]string, error) {
	shop, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]string, len(names))
	for _, name := range names {
		p, err := programNamed(name)
		if err != nil {
			return nil, err
		}
		if paths[name], err = shop.provide(ctx, p); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// workshop is a builder that knows its surroundings.
type workshop struct {
	cache    cache
	tool     goTool
	platform goPlatform
	versions map[string]string
	progress *progress
}

func (b Builder) open(ctx context.Context) (*workshop, error) {
	root, err := openCache(b.CacheDir)
	if err != nil {
		return nil, err
	}
	dir, err := findModule()
	if err != nil {
		return nil, err
	}
	shop := &workshop{cache: root, tool: goTool{dir: dir}, progress: newProgress(b.Progress)}
	if shop.platform, err = shop.tool.platform(ctx); err != nil {
		return nil, err
	}
	if shop.versions, err = shop.tool.versions(ctx); err != nil {
		return nil, err
	}
	return shop, nil
}

// provide gives the path of the built program.
func (w *workshop) provide(ctx context.Context, p program) (string, error) {
	version := w.versions[p.module]
	if version == "" {
		return "", fmt.Errorf("build %s: %s requires no module %s", p.name, filepath.Join(w.tool.dir, "go.mod"), p.module)
	}
	args := buildArgs(p.ldflags(version))
	path := filepath.Join(w.cache.programs(), cacheKey(p, version, w.platform, args), p.name)
	if isFile(path) {
		return path, nil
	}
	// One lock for all programs: they share most of their packages, so that two builds at once would compile them twice.
	unlock, err := w.cache.lockBuild(ctx, func() {
		w.progress.say("waiting for another process that is building, then %s %s", p.name, version)
	})
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.name, err)
	}
	defer unlock()
	if isFile(path) {
		return path, nil
	}
	start := time.Now()
	what := fmt.Sprintf("building %s %s", p.name, version)
	w.progress.say("%s (once, some minutes)", what)
	done := w.progress.during(what, 30*time.Second)
	err = buildAtomically(ctx, w.tool, path, append(args, p.pkg))
	done()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.name, err)
	}
	w.progress.say("built %s %s in %s", p.name, version, since(start))
	return path, nil
}

// buildArgs is the build command without output and package. Symbols are stripped: it saves 30 % of 600 MB and some
// seconds of linking, and panics keep their line numbers.
func buildArgs(ldflags []string) []string {
	return []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", strings.Join(append([]string{"-s", "-w"}, ldflags...), " ")}
}

// cacheKey names a build by all that decides its outcome, with a readable front.
func cacheKey(p program, version string, platform goPlatform, args []string) string {
	facts := append([]string{p.pkg, version, platform.GOVERSION, platform.GOOS, platform.GOARCH}, args...)
	sum := sha256.Sum256([]byte(strings.Join(facts, "\x00")))
	return p.name + "-" + version + "-" + hex.EncodeToString(sum[:6])
}

// buildAtomically builds beside the final path and renames, so that nobody ever sees half a program.
func buildAtomically(ctx context.Context, tool goTool, path string, args []string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of the program: %w", err)
	}
	temp := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	_, err := tool.run(ctx, append([]string{args[0], "-o", temp}, args[1:]...)...)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		if rm := os.Remove(temp); rm != nil && !errors.Is(rm, os.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}
	return err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
