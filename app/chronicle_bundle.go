package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/ledger"
)

// bundleRecord records which policies are in force, whenever the ledger's last word on that is another. So of several
// replicas with one ledger the first one tells.
type bundleRecord struct {
	ledger    *ledger.Recorder
	snapshots *bundle.Store
	log       *slog.Logger
	news      chan struct{}
}

// bundles gives the record of bundles; nil without a ledger.
func (c *chronicle) bundles(snapshots *bundle.Store, log *slog.Logger) *bundleRecord {
	if c == nil {
		return nil
	}
	return &bundleRecord{ledger: c.Recorder, snapshots: snapshots, log: log, news: make(chan struct{}, 1)}
}

// changed tells that there is another bundle. It returns at once.
func (b *bundleRecord) changed() {
	if b != nil {
		signal(b.news)
	}
}

// recordAgain is how long to wait before something is recorded again that could not be.
const recordAgain = 5 * time.Second

// run records until ctx ends.
func (b *bundleRecord) run(ctx context.Context) error {
	if b == nil {
		<-ctx.Done()
		return nil
	}
	var told *engine.Snapshot // the last one that was recorded, by whomever
	signal(b.news)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.news:
		}
		now := b.snapshots.Current()
		if err := b.record(ctx, told, now); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it has ended
			}
			b.log.Debug("which bundle is in force cannot be recorded yet", "error", err)
			time.AfterFunc(recordAgain, b.changed)
			continue
		}
		told = now
	}
}

// record records a bundle unless the ledger knows that it is in force.
func (b *bundleRecord) record(ctx context.Context, before, now *engine.Snapshot) error {
	last, err := b.ledger.Query(ctx, ledger.Query{Kinds: []ledger.Kind{ledger.BundleChanged}, Limit: 1})
	if err != nil {
		return err
	}
	details := map[string]string{"policies": fmt.Sprint(len(now.Policies()))}
	if len(last.Entries) > 0 {
		if last.Entries[0].Bundle == now.Digest() {
			return nil
		}
		details["before"] = last.Entries[0].Bundle
	}
	message := fmt.Sprintf("%s in force", count(len(now.Policies()), "policy is", "policies are"))
	e := ledger.Entry{Kind: ledger.BundleChanged, Bundle: now.Digest(), Message: message, Details: details}
	if before != nil && before.Digest() == details["before"] {
		e.Diff = bundleDiff(before, now)
	}
	_, err = b.ledger.Append(ctx, e)
	return err
}

// bundleDiff lists what came, went and changed, one in a line, in the order of the names.
func bundleDiff(before, now *engine.Snapshot) string {
	old, current := contentsOf(before), contentsOf(now)
	var lines []string
	for name, digest := range current {
		switch was, ok := old[name]; {
		case !ok:
			lines = append(lines, mark(bundle.Added)+" "+name)
		case was != digest:
			lines = append(lines, mark(bundle.Changed)+" "+name)
		}
	}
	for name := range old {
		if _, ok := current[name]; !ok {
			lines = append(lines, mark(bundle.Removed)+" "+name)
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2:]+a[:1], b[2:]+b[:1]) })
	return strings.Join(lines, "\n")
}

// contentsOf gives the digest of each thing in a snapshot, by its name.
func contentsOf(s *engine.Snapshot) map[string]string {
	out := map[string]string{}
	for _, p := range s.Policies() {
		out[p.Kind+"/"+p.Key()] = p.Digest
	}
	for _, x := range s.Exceptions() {
		out[x.Kind()+"/"+x.Key()] = x.Digest
	}
	for _, b := range s.Bindings() {
		out[b.Kind+"/"+b.Key()] = b.Digest
	}
	for _, g := range s.GlobalContexts() {
		out["GlobalContextEntry/"+g.Name] = g.Digest
	}
	return out
}
