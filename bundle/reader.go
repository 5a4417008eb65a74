package bundle

import (
	"fmt"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// Reader reads policies one by one, for who wants to go on with the good ones where others cannot be
// loaded. It is immutable and safe for concurrent use.
type Reader struct{ compiler *engine.Compiler }

// NewReader makes a reader. Share it: making its compiler takes milliseconds.
func NewReader() (*Reader, error) {
	compiler, err := engine.NewCompiler()
	if err != nil {
		return nil, err
	}
	return &Reader{compiler}, nil
}

// Refused is a policy that cannot be loaded.
type Refused struct {
	Kind, Namespace, Name string
	Problems              []Problem
}

// Read loads the policies of one file. Documents that are no policies are left out; an error means that the
// file itself, or a document of it, cannot be read.
func (r *Reader) Read(file string, data []byte) (loaded []Loaded, refused []Refused, err error) {
	documents, errs := manifest.Parse(file, data)
	if len(errs) > 0 {
		return nil, nil, fmt.Errorf("reading policies: %w", errs[0])
	}
	for _, d := range documents {
		l := loader{compiler: r.compiler, summary: Summary{Skipped: map[string]int{}}}
		l.document(d)
		loaded = append(loaded, l.summary.Policies...)
		if len(l.problems) == 0 {
			continue
		}
		meta, _ := d.Object["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		namespace, _ := meta["namespace"].(string)
		refused = append(refused, Refused{d.Kind(), namespace, name, sortProblems(l.problems)})
	}
	return loaded, refused, nil
}
