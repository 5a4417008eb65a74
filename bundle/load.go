package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// MaxPolicyBytes bounds the text of one policy. The API server takes requests of 3 MiB and etcd values of
// 1.5 MiB; the largest policies in public libraries have 30 KiB.
const MaxPolicyBytes = 1 << 20

// Sources says where a bundle comes from.
type Sources struct {
	// Paths are files, folders (walked for *.yaml, *.yml and *.json) and - for Stdin.
	Paths []string
	Stdin io.Reader
	// FS is walked in addition, unless it is nil. The names of its files begin with FSName.
	FS     fs.FS
	FSName string
}

// Summary says what a snapshot was made of.
type Summary struct {
	// Files is the number of files that were read.
	Files int
	// Policies are in the order of the snapshot.
	Policies []Loaded
	// Skipped counts the documents that are no policies, by apiVersion and kind.
	Skipped map[string]int
	// Warnings do not keep the bundle from working.
	Warnings []Problem
}

// Loaded is a policy with the place and the text that it comes from.
type Loaded struct {
	Policy   *engine.Policy
	Position manifest.Position
	// Rules are the places of the policy's rules as written, by name.
	Rules map[string]manifest.Position
	// Document is the policy as written, without what the cluster adds. Not to be changed.
	Document map[string]any
}

// Load reads, checks and compiles a bundle. Everything that is wrong with it comes back in one *Error;
// other errors mean that a source could not be read. A bundle without policies is a warning.
func Load(ctx context.Context, src Sources) (*engine.Snapshot, *Summary, error) {
	files, err := manifest.Find(src.Paths, src.Stdin)
	if err != nil {
		return nil, nil, err
	}
	if src.FS != nil {
		more, err := manifest.FindFS(src.FS, src.FSName)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, more...)
	}
	compiler, err := engine.NewCompiler()
	if err != nil {
		return nil, nil, err
	}
	l := loader{compiler: compiler, summary: Summary{Files: len(files), Skipped: map[string]int{}}}
	for i := range files {
		data, err := files[i].Read(ctx)
		if err != nil {
			return nil, nil, err
		}
		l.file(&files[i], data)
	}
	return l.finish()
}

type loader struct {
	compiler *engine.Compiler
	summary  Summary
	problems []Problem
}

func (l *loader) file(f *manifest.File, data []byte) {
	documents, errs := manifest.Parse(f.Name, data)
	for _, e := range errs {
		l.problem(e.Position, "", "", e.Message)
	}
	policies := 0
	for _, d := range documents {
		if l.document(d) {
			policies++
		}
	}
	if policies == 0 && len(errs) == 0 && !f.Walked {
		l.problem(manifest.Position{File: f.Name}, "", "", "holds no policy: expected a kyverno.io/v1 ClusterPolicy or Policy")
	}
}

// document takes up one document, and reports whether it is, or means to be, a policy.
func (l *loader) document(d *manifest.Document) (isPolicy bool) {
	isPolicy, problem := classify(d.APIVersion(), d.Kind())
	switch {
	case problem != "":
		path := []any{"kind"}
		if d.APIVersion() != builtVersion {
			path = []any{"apiVersion"}
		}
		l.problem(d.Position(path), name(d), "", problem)
		return true
	case isPolicy:
		l.policy(d)
	default:
		l.summary.Skipped[describe(d)]++
	}
	return isPolicy
}

// describe names what a document is, for the count of those left out.
func describe(d *manifest.Document) string {
	if d.APIVersion() == "" || d.Kind() == "" {
		return "without apiVersion and kind"
	}
	return d.APIVersion() + " " + d.Kind()
}

func (l *loader) problem(at manifest.Position, policy, path, message string) {
	l.problems = append(l.problems, Problem{at.File, at.Line, at.Column, policy, path, message})
}

func (l *loader) policy(d *manifest.Document) {
	if d.Size > MaxPolicyBytes {
		l.problem(d.Start(), name(d), "", fmt.Sprintf("is %d bytes long: expected at most %d", d.Size, MaxPolicyBytes))
		return
	}
	src, problems, warnings := decode(d)
	for _, w := range warnings {
		l.warn(d, w)
	}
	if len(problems) > 0 {
		l.engineProblems(d, problems)
		return
	}
	compiled, err := l.compiler.Compile(src, d.Object)
	var wrong *engine.CompileError
	switch {
	case errors.As(err, &wrong):
		l.engineProblems(d, wrong.Problems)
		return
	case err != nil:
		l.problem(d.Start(), name(d), "", err.Error())
		return
	}
	for _, w := range compiled.Warnings {
		l.warn(d, engine.Problem{Message: w})
	}
	l.summary.Policies = append(l.summary.Policies, Loaded{compiled, d.Start(), rulePositions(d), d.Object})
}

func (l *loader) engineProblems(d *manifest.Document, problems []engine.Problem) {
	for _, p := range problems {
		l.problem(d.Position(p.Path), name(d), p.PathString(), p.Message)
	}
}

func (l *loader) warn(d *manifest.Document, p engine.Problem) {
	at := d.Position(p.Path)
	l.summary.Warnings = append(l.summary.Warnings, Problem{at.File, at.Line, at.Column, name(d), p.PathString(), p.Message})
}

func rulePositions(d *manifest.Document) map[string]manifest.Position {
	spec, _ := d.Object["spec"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	places := make(map[string]manifest.Position, len(rules))
	for i, r := range rules {
		rule, _ := r.(map[string]any)
		ruleName, _ := rule["name"].(string)
		places[ruleName] = d.Position([]any{"spec", "rules", i})
	}
	return places
}

// finish makes the snapshot of what was gathered.
func (l *loader) finish() (*engine.Snapshot, *Summary, error) {
	slices.SortStableFunc(l.summary.Policies, func(a, b Loaded) int {
		return cmp.Or(
			cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Policy.Namespace, b.Policy.Namespace),
			cmp.Compare(a.Policy.Kind, b.Policy.Kind),
		)
	})
	policies := make([]*engine.Policy, len(l.summary.Policies))
	for i, p := range l.summary.Policies {
		policies[i] = p.Policy
		if i == 0 {
			continue
		}
		if first := l.summary.Policies[i-1]; first.Policy.Kind == p.Policy.Kind && first.Policy.Key() == p.Policy.Key() {
			l.problem(p.Position, p.Policy.Kind+"/"+p.Policy.Key(), "", "stands twice in the bundle, first at "+first.Position.String())
		}
	}
	if len(l.problems) > 0 {
		return nil, nil, &Error{sortProblems(l.problems)}
	}
	snapshot, err := engine.NewSnapshot(policies)
	if err != nil {
		return nil, nil, fmt.Errorf("making the snapshot: %w", err)
	}
	if len(policies) == 0 {
		l.summary.Warnings = append(l.summary.Warnings, Problem{Message: "the bundle is empty: it holds no policy, so nothing is refused, changed or reported"})
	}
	sortProblems(l.summary.Warnings)
	return snapshot, &l.summary, nil
}
