package app

import (
	"context"
	"time"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/policies"
)

// BundleSources are the paths, or without any the shipped bundle.
func BundleSources(paths []string, streams IO) bundle.Sources {
	if len(paths) == 0 {
		return bundle.Sources{FS: policies.FS(), FSName: "shipped"}
	}
	return bundle.Sources{Paths: paths, Stdin: streams.In}
}

// load loads a bundle and tells its warnings.
func load(ctx context.Context, paths []string, streams IO) (*engine.Snapshot, *bundle.Summary, error) {
	started := time.Now()
	snapshot, sum, err := bundle.Load(ctx, BundleSources(paths, streams))
	if err != nil {
		return nil, nil, err
	}
	for _, w := range sum.Warnings {
		if err := printf(streams.Err, "warning: %s\n", w); err != nil {
			return nil, nil, err
		}
	}
	streams.Log.Debug("bundle loaded", "digest", snapshot.Digest(), "policies", len(sum.Policies), "files", sum.Files, "took", time.Since(started))
	return snapshot, sum, nil
}
