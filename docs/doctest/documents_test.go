package doctest

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// documents are those of the repository, from its root.
func documents(t *testing.T) (fs.FS, []string) {
	t.Helper()
	tree := os.DirFS("../..")
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "dist" || d.Name() == "bin"):
			return fs.SkipDir
		case path.Ext(name) == ".md":
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const fewest = 30 // fewer, and the walk went wrong
	if len(found) < fewest {
		t.Errorf("only %d documents: expected %d at least", len(found), fewest)
	}
	return tree, found
}

func TestLinksLeadSomewhere(t *testing.T) {
	tree, found := documents(t)
	for _, name := range found {
		problems, err := Links(tree, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Error(p)
		}
	}
}

func TestBlocksSayWhoRunsThem(t *testing.T) {
	tree, found := documents(t)
	for _, name := range found {
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Blocks(string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Plain blocks are run where there is neither a cluster nor its tools.
func TestPlainBlocksNeedNoCluster(t *testing.T) {
	tree, found := documents(t)
	needs := regexp.MustCompile(`(?m)\b(kubectl|helm|kustomize|docker|make|go (run|test|build))\b`)
	for _, name := range found {
		if path.Dir(name) != "docs" && name != "README.md" || name == "docs/cli.md" {
			continue
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := Steps(string(text), Plain)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range steps {
			if what := needs.FindString(s.Text); what != "" {
				t.Errorf("%s:%d: %s: expected the block to be marked %s or %s", name, s.Line, what, Cluster, ByHand)
			}
		}
	}
}

// Whatever stands in docs/ is found from its index.
func TestTheIndexHasEveryDocument(t *testing.T) {
	tree, found := documents(t)
	index, err := fs.ReadFile(tree, "docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]bool{}
	for _, l := range linksOf(string(index)) {
		linked[path.Join("docs", l.target)] = true
	}
	for _, name := range found {
		if path.Dir(name) == "docs" && name != "docs/README.md" && !linked[name] {
			t.Errorf("docs/README.md has no link to %s", name)
		}
	}
}
