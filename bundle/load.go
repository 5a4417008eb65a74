package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/bundle/pack"
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
	// Choice says which of the policies are in force, how far they go, and with which values. Its zero value leaves all as
	// they are written.
	Choice pack.Choice
}

// Summary says what a snapshot was made of.
type Summary struct {
	// Files is the number of files that were read.
	Files int
	// Policies are in the order of the snapshot, and so are exceptions, bindings and global context entries. A policy of
	// the API server is here without its bindings.
	Policies, Exceptions, Bindings, GlobalContexts []Loaded
	// Choices say of each policy, those that are off among them, what there was to choose and what was chosen; by name.
	Choices []pack.Policy
	// Skipped counts the documents that are no policies, by apiVersion and kind.
	Skipped map[string]int
	// Warnings do not keep the bundle from working.
	Warnings []Problem
}

// Loaded is one thing in a bundle with the place and the text that it comes from. Exactly one of Policy,
// Exception, Binding and GlobalContext is set.
type Loaded struct {
	Policy        *engine.Policy
	Exception     *engine.Exception
	Binding       *engine.Binding
	GlobalContext *engine.GlobalContext

	Position manifest.Position
	// Rules are the places of a policy's rules as written, by name.
	Rules map[string]manifest.Position
	// Document is the object as written, without what the cluster adds. Not to be changed.
	Document map[string]any

	source kyvernov1.PolicyInterface          // of a ClusterPolicy or Policy
	place  func(path []any) manifest.Position // where a path of the document is written
}

// Key is the kind and name, such as ClusterPolicy/require-labels or PolicyException/team-a/legacy, with the group behind
// the kind where an exception is of policies.kyverno.io.
func (l *Loaded) Key() string {
	switch {
	case l.Exception != nil:
		return l.Exception.Kind() + "/" + l.Exception.Key()
	case l.Binding != nil:
		return l.Binding.Kind + "/" + l.Binding.Key()
	case l.GlobalContext != nil:
		return globalContextEntry + "/" + l.GlobalContext.Name
	default:
		return l.Policy.Kind + "/" + l.Policy.Key()
	}
}

// Digest names the content.
func (l *Loaded) Digest() string {
	switch {
	case l.Exception != nil:
		return l.Exception.Digest
	case l.Binding != nil:
		return l.Binding.Digest
	case l.GlobalContext != nil:
		return l.GlobalContext.Digest
	default:
		return l.Policy.Digest
	}
}

// Load reads, checks and compiles a bundle. Everything that is wrong with it comes back in one *Error;
// other errors mean that a source could not be read, or that something was chosen that the bundle does not have. A bundle
// without policies is a warning.
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
	l := loader{compiler: compiler, chooser: pack.NewChooser(src.Choice), summary: Summary{Files: len(files), Skipped: map[string]int{}}}
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
	chooser  *pack.Chooser
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

// document takes up one document, and reports whether it is, or means to be, a policy or something beside one.
func (l *loader) document(d *manifest.Document) (ours bool) {
	class := classify(d.APIVersion(), d.Kind())
	switch {
	case class.problem != "":
		l.problem(d.Position([]any{class.key}), name(d), "", class.problem)
	case class.shape != nil:
		l.compile(d, class.shape)
	default:
		l.summary.Skipped[describe(d)]++
		return false
	}
	return true
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

func (l *loader) compile(d *manifest.Document, shape reflect.Type) {
	if d.Size > MaxPolicyBytes {
		l.problem(d.Start(), name(d), "", fmt.Sprintf("is %d bytes long: expected at most %d", d.Size, MaxPolicyBytes))
		return
	}
	problems, warnings := decode(d, shape)
	for _, w := range warnings {
		l.warn(d, w)
	}
	stays := true
	if len(problems) == 0 {
		stays, problems = l.chooser.Apply(d.Object)
	}
	if len(problems) > 0 {
		l.engineProblems(d, problems)
		return
	}
	if !stays {
		return
	}
	loaded, err := compile(l.compiler, d)
	loaded.Position, loaded.Rules, loaded.place = d.Start(), rulePositions(d), d.Position
	var wrong *engine.CompileError
	switch {
	case errors.As(err, &wrong):
		l.engineProblems(d, wrong.Problems)
	case err != nil:
		l.problem(d.Start(), name(d), "", err.Error())
	case loaded.Exception != nil:
		for _, w := range loaded.Exception.Warnings {
			l.warn(d, w)
		}
		l.summary.Exceptions = append(l.summary.Exceptions, loaded)
	case loaded.Binding != nil:
		for _, w := range loaded.Binding.Warnings {
			l.warn(d, w)
		}
		l.summary.Bindings = append(l.summary.Bindings, loaded)
	case loaded.GlobalContext != nil:
		l.summary.GlobalContexts = append(l.summary.GlobalContexts, loaded)
	default:
		for _, w := range loaded.Policy.Warnings {
			l.warn(d, engine.Problem{Message: w})
		}
		l.summary.Policies = append(l.summary.Policies, loaded)
	}
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
	var contents engine.Contents
	for _, p := range l.inOrder(l.summary.Policies) {
		contents.Policies = append(contents.Policies, p.Policy)
	}
	for _, x := range l.inOrder(l.summary.Exceptions) {
		contents.Exceptions = append(contents.Exceptions, x.Exception)
	}
	for _, b := range l.inOrder(l.summary.Bindings) {
		contents.Bindings = append(contents.Bindings, b.Binding)
	}
	for _, g := range l.inOrder(l.summary.GlobalContexts) {
		contents.GlobalContexts = append(contents.GlobalContexts, g.GlobalContext)
	}
	l.problems = append(l.problems, circles(&l.summary)...)
	if len(l.problems) > 0 {
		return nil, nil, &Error{sortProblems(l.problems)}
	}
	if err := l.chooser.Unknown(); err != nil {
		return nil, nil, err
	}
	l.summary.Choices = l.chooser.Policies()
	snapshot, err := engine.Assemble(contents)
	if err != nil {
		return nil, nil, fmt.Errorf("making the snapshot: %w", err)
	}
	if len(contents.Policies) == 0 {
		l.summary.Warnings = append(l.summary.Warnings, Problem{Message: "the bundle is empty: it holds no policy, so nothing is refused, changed or reported"})
	}
	l.summary.Warnings = append(l.summary.Warnings, danglingReferences(&l.summary)...)
	l.summary.Warnings = append(l.summary.Warnings, looseBindings(&l.summary)...)
	l.summary.Warnings = append(l.summary.Warnings, danglingRemedies(&l.summary)...)
	sortProblems(l.summary.Warnings)
	return snapshot, &l.summary, nil
}

// inOrder sorts what was loaded by name, then namespace, then kind, and finds what stands twice.
func (l *loader) inOrder(list []Loaded) []Loaded {
	slices.SortStableFunc(list, func(a, b Loaded) int {
		return cmp.Or(
			strings.Compare(textAt(a.Document, "metadata", "name"), textAt(b.Document, "metadata", "name")),
			strings.Compare(textAt(a.Document, "metadata", "namespace"), textAt(b.Document, "metadata", "namespace")),
			strings.Compare(textAt(a.Document, "kind"), textAt(b.Document, "kind")),
			strings.Compare(groupOf(a.Document), groupOf(b.Document)),
		)
	})
	for i := 1; i < len(list); i++ {
		if first, second := &list[i-1], &list[i]; first.Key() == second.Key() {
			l.problem(second.Position, second.Key(), "", "stands twice in the bundle, first at "+first.Position.String())
		}
	}
	return list
}

func textAt(document map[string]any, path ...string) string {
	last := len(path) - 1
	for _, key := range path[:last] {
		document, _ = document[key].(map[string]any)
	}
	s, _ := document[path[last]].(string)
	return s
}
