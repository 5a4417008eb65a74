package bench

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/holdfast-io/holdfast/bench/traffic"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/policies"
)

func load(b *testing.B, src bundle.Sources) *engine.Snapshot {
	b.Helper()
	s, _, err := bundle.Load(context.Background(), src)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func shipped() bundle.Sources { return bundle.Sources{FS: policies.FS(), FSName: "shipped"} }

// withOthers is the shipped bundle with n policies on a kind that no request here is about.
func withOthers(n int) bundle.Sources {
	files := fstest.MapFS{}
	_ = fs.WalkDir(policies.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(policies.FS(), path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	for i := range n {
		files[fmt.Sprintf("other-%d/policy.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: other-%d}
spec:
  rules:
  - name: check
    match: {any: [{resources: {kinds: [example.com/v1/Other%d]}}]}
    validate: {message: field is missing, pattern: {spec: {field: "?*"}}}
`, i, i)}
	}
	return bundle.Sources{FS: files, FSName: "bench"}
}

// named are the policies of PoliciesVariable that compile; a policy that uses a part of the language which
// is not built yet is left out. Nil without the variable.
func named(b *testing.B) *engine.Snapshot {
	b.Helper()
	value := os.Getenv(traffic.PoliciesVariable)
	if value == "" {
		return nil
	}
	var kept []*engine.Policy
	refused := 0
	for _, root := range filepath.SplitList(value) {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			s, _, err := bundle.Load(context.Background(), bundle.Sources{Paths: []string{path}})
			if err != nil {
				refused++
				return nil
			}
			kept = append(kept, s.Policies()...)
			return nil
		})
		if err != nil {
			b.Fatalf("reading the policies of %s: %v", traffic.PoliciesVariable, err)
		}
	}
	s, err := engine.NewSnapshot(kept)
	if err != nil {
		b.Fatalf("making a snapshot of the policies of %s: %v", traffic.PoliciesVariable, err)
	}
	b.Logf("%s: %d policies, %d files left out", traffic.PoliciesVariable, len(kept), refused)
	return s
}

type measured struct {
	name     string
	snapshot *engine.Snapshot
}

func bundles(b *testing.B) []measured {
	b.Helper()
	list := []measured{{"shipped", load(b, shipped())}}
	for _, n := range []int{100, 1000} {
		list = append(list, measured{fmt.Sprintf("shipped+%d", n), load(b, withOthers(n))})
	}
	if s := named(b); s != nil {
		list = append(list, measured{"named", s})
	}
	return list
}
