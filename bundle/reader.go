package bundle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"

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

// exceptionVersions are the versions of PolicyException, which differ in no field.
var exceptionVersions = [...]string{"kyverno.io/v2", "kyverno.io/v2beta1"}

// ReadExceptions loads the kyverno.io PolicyExceptions of one file. Documents of other kinds are left out. What
// is wrong with the exceptions comes back in one *Error.
func (r *Reader) ReadExceptions(file string, data []byte) ([]*engine.Exception, error) {
	documents, errs := manifest.Parse(file, data)
	if len(errs) > 0 {
		return nil, fmt.Errorf("reading exceptions: %w", errs[0])
	}
	l := loader{compiler: r.compiler}
	var out []*engine.Exception
	for _, d := range documents {
		group, _, _ := strings.Cut(d.APIVersion(), "/")
		switch {
		case d.Kind() != exception || group != "kyverno.io":
		case !slices.Contains(exceptionVersions[:], d.APIVersion()):
			l.problem(d.Position([]any{"apiVersion"}), name(d), "", d.APIVersion()+" "+exception+" is not built yet: expected "+exceptionVersions[0])
		default:
			if x := l.exception(d); x != nil {
				out = append(out, x)
			}
		}
	}
	if len(l.problems) > 0 {
		return nil, &Error{sortProblems(l.problems)}
	}
	return out, nil
}

// exception compiles a PolicyException, or notes what is wrong with it.
func (l *loader) exception(d *manifest.Document) *engine.Exception {
	settle(d)
	src := &kyvernov2.PolicyException{}
	if problems := decodeInto(d, src); len(problems) > 0 {
		l.engineProblems(d, problems)
		return nil
	}
	compiled, err := l.compiler.CompileException(src, d.Object)
	var wrong *engine.CompileError
	switch {
	case errors.As(err, &wrong):
		l.engineProblems(d, wrong.Problems)
	case err != nil:
		l.problem(d.Start(), name(d), "", err.Error())
	}
	return compiled
}
