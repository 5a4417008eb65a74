package bundle

import (
	"fmt"
	"slices"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/bundle/pack"
	"github.com/holdfast-io/holdfast/engine"
)

// Reader reads policies one by one, for who wants to go on with the good ones where others cannot be
// loaded. It is safe for concurrent use.
type Reader struct {
	compiler *engine.Compiler
	chooser  *pack.Chooser
}

// NewReader makes a reader of policies, changed to what is chosen. Share it: making its compiler takes milliseconds.
func NewReader(choice pack.Choice) (*Reader, error) {
	compiler, err := engine.NewCompiler()
	if err != nil {
		return nil, err
	}
	return &Reader{compiler, pack.NewChooser(choice)}, nil
}

// Unknown says what was chosen that none of the policies has that were read so far.
func (r *Reader) Unknown() error { return r.chooser.Unknown() }

// Refused is a policy that cannot be loaded.
type Refused struct {
	Kind, Namespace, Name string
	Problems              []Problem
}

// Read loads the policies of one file. Documents that are no policies are left out; an error means that the
// file itself, or a document of it, cannot be read.
func (r *Reader) Read(file string, data []byte) (loaded []Loaded, refused []Refused, err error) {
	all, refused, err := r.ReadAll(file, data)
	return slices.DeleteFunc(all, func(l Loaded) bool { return l.Policy == nil }), refused, err
}

// ReadAll loads what Read does and the exceptions, bindings and global context entries as well.
func (r *Reader) ReadAll(file string, data []byte) (loaded []Loaded, refused []Refused, err error) {
	documents, errs := manifest.Parse(file, data)
	if len(errs) > 0 {
		return nil, nil, fmt.Errorf("reading policies: %w", errs[0])
	}
	for _, d := range documents {
		l := loader{compiler: r.compiler, chooser: r.chooser, summary: Summary{Skipped: map[string]int{}}}
		l.document(d)
		loaded = slices.Concat(loaded, l.summary.Policies, l.summary.Exceptions, l.summary.Bindings, l.summary.GlobalContexts)
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

// ReadExceptions loads the PolicyExceptions of one file. Documents of other kinds are left out. What is wrong
// with the exceptions comes back in one *Error.
func (r *Reader) ReadExceptions(file string, data []byte) ([]*engine.Exception, error) {
	loaded, refused, err := r.ReadAll(file, data)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	for _, x := range refused {
		if x.Kind == policyException {
			problems = append(problems, x.Problems...)
		}
	}
	if len(problems) > 0 {
		return nil, &Error{sortProblems(problems)}
	}
	var out []*engine.Exception
	for _, l := range loaded {
		if l.Exception != nil {
			out = append(out, l.Exception)
		}
	}
	return out, nil
}
