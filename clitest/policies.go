package clitest

import (
	"crypto/sha256"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/pack"
	"github.com/holdfast-io/holdfast/engine"
)

// library compiles policies once, however many tests use them.
type library struct {
	reader *bundle.Reader
	mu     sync.Mutex
	files  map[[sha256.Size]byte]*policyFile
}

func newLibrary(parameters map[string][]string) (*library, error) {
	reader, err := bundle.NewReader(pack.Choice{Parameters: parameters})
	if err != nil {
		return nil, err
	}
	return &library{reader: reader, files: map[[sha256.Size]byte]*policyFile{}}, nil
}

// policyFile is what was made of one text.
type policyFile struct {
	once     sync.Once
	policies []*policy
	bindings []*engine.Binding
	err      error
}

// policy is a policy of a test: compiled, or refused with the reason.
type policy struct {
	kind, namespace, name string
	compiled              *engine.Policy
	snapshot              *engine.Snapshot // of this policy alone
	problems              []bundle.Problem
}

// load gives the policies and bindings of a text, compiled at its first use. Problems bear the name of that use's file.
func (l *library) load(path string, data []byte) ([]*policy, []*engine.Binding, error) {
	// Places in messages begin with the file's name, so that it is part of what makes two texts the same.
	key := sha256.Sum256(append([]byte(filepath.Base(path)+"\x00"), data...))
	l.mu.Lock()
	file := l.files[key]
	if file == nil {
		file = &policyFile{}
		l.files[key] = file
	}
	l.mu.Unlock()
	file.once.Do(func() { file.err = l.compile(path, data, file) })
	return file.policies, file.bindings, file.err
}

func (l *library) compile(path string, data []byte, into *policyFile) error {
	loaded, refused, err := l.reader.ReadAll(path, data)
	if err != nil {
		return err
	}
	for _, p := range loaded {
		if p.Binding != nil {
			into.bindings = append(into.bindings, p.Binding)
		}
		if p.Policy == nil {
			continue
		}
		p.Policy.Admission = true // a test asks what a policy says, not at which door it stands
		snapshot, err := engine.NewSnapshot([]*engine.Policy{p.Policy})
		if err != nil {
			return err
		}
		into.policies = append(into.policies, &policy{
			kind: p.Policy.Kind, namespace: p.Policy.Namespace, name: p.Policy.Name,
			compiled: p.Policy, snapshot: snapshot,
		})
	}
	for _, r := range refused {
		if strings.HasSuffix(r.Kind, "PolicyBinding") {
			return &bundle.Error{Problems: r.Problems} // without it, its policy would be another
		}
		into.policies = append(into.policies, &policy{kind: r.Kind, namespace: r.Namespace, name: r.Name, problems: r.Problems})
	}
	return nil
}

// bound is the policy alone with those of the bindings that are its own. One of the API server's that has none is judged as
// if it were bound to all that it matches, as by Kyverno's CLI: a test asks what a policy says.
func (p *policy) bound(bindings []*engine.Binding) (*policy, error) {
	if p.compiled == nil || !p.compiled.NeedsBinding() {
		return p, nil
	}
	of := slices.DeleteFunc(slices.Clone(bindings), func(b *engine.Binding) bool { return !b.Binds(p.compiled) })
	if len(of) == 0 {
		of = append(of, p.compiled.BindEverywhere())
	}
	snapshot, err := engine.Assemble(engine.Contents{Policies: []*engine.Policy{p.compiled}, Bindings: of})
	if err != nil {
		return nil, err
	}
	own := *p
	own.snapshot, own.compiled = snapshot, snapshot.Policies()[0]
	return &own, nil
}

// excused is the policy alone with the exceptions that the test names.
func (p *policy) excused(exceptions []*engine.Exception) (*policy, error) {
	if len(exceptions) == 0 || p.compiled == nil || p.compiled.NeedsBinding() {
		return p, nil
	}
	snapshot, err := engine.Assemble(engine.Contents{Policies: []*engine.Policy{p.compiled}, Exceptions: exceptions})
	if err != nil {
		return nil, err
	}
	own := *p
	own.snapshot = snapshot
	return &own, nil
}

// is reports whether a result's policy, as name or namespace/name, means this one.
func (p *policy) is(written string) bool {
	namespace, name, found := strings.Cut(written, "/")
	if !found {
		return p.name == written
	}
	return p.name == name && (p.namespace == "" || p.namespace == namespace)
}

// notBuilt finds the part in the message of a policy that uses what is not built.
var notBuilt = regexp.MustCompile(`(?:^|: )([^:;]*?) (?:is|are) not built yet`)

// refusal says why a refused policy is refused: with status Skip for the part that is not built, if that is
// all that is wrong, with status Error otherwise.
func (p *policy) refusal() (Status, string) {
	var parts []string
	for _, problem := range p.problems {
		found := notBuilt.FindStringSubmatch(problem.Message)
		if found == nil {
			return Error, "the policy cannot be loaded: " + problem.String()
		}
		parts = append(parts, strings.TrimSpace(found[1]))
	}
	return Skip, parts[0] + " is not built yet"
}
