package controlplane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
)

// BuildHoldfast builds cmd/holdfast of the clone that holds the working directory and gives the binary's path.
// It builds at each call, because the sources may have changed; Go's build cache makes that a matter of a second.
func BuildHoldfast(ctx context.Context) (string, error) { return Builder{}.Holdfast(ctx) }

// Holdfast is BuildHoldfast with this builder's cache and progress.
func (b Builder) Holdfast(ctx context.Context) (string, error) {
	module, err := findModule()
	if err != nil {
		return "", err
	}
	return b.command(ctx, filepath.Dir(module), "./cmd/holdfast")
}

// command builds one main package of the module in root. Clones do not share binaries, and a process that runs the old
// binary keeps it, because the new one arrives by rename.
func (b Builder) command(ctx context.Context, root, pkg string) (string, error) {
	name := filepath.Base(pkg)
	store, err := openCache(b.CacheDir)
	if err != nil {
		return "", err
	}
	say := newProgress(b.Progress)
	unlock, err := store.lockBuild(ctx, func() { say.say("waiting for another process that is building, then %s", name) })
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	defer unlock()
	clone := sha256.Sum256([]byte(root))
	path := filepath.Join(store.programs(), name+"-"+hex.EncodeToString(clone[:6]), name)
	say.say("building %s", name)
	if err := buildAtomically(ctx, goTool{dir: root}, path, []string{"build", "-trimpath", pkg}); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return path, nil
}
