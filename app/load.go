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

// chosenSources are the same with what is chosen of them.
func chosenSources(paths []string, packs PackOptions, streams IO) (bundle.Sources, error) {
	choice, err := packs.choice()
	sources := BundleSources(paths, streams)
	sources.Choice = choice
	return sources, err
}

// load loads a bundle, as far as its policies are chosen, and tells its warnings.
func load(ctx context.Context, paths []string, packs PackOptions, streams IO) (*engine.Snapshot, *bundle.Summary, error) {
	started := time.Now()
	sources, err := chosenSources(paths, packs, streams)
	if err != nil {
		return nil, nil, err
	}
	snapshot, sum, err := bundle.Load(ctx, sources)
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
