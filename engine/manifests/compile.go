package manifests

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/fieldpath"
	"github.com/holdfast-io/holdfast/engine/glob"
)

// defaultDomain is where the annotations of signed manifests are unless the policy says otherwise.
const defaultDomain = "cosign.sigstore.dev"

// maxNesting is how deep attestors may stand in one another.
const maxNesting = 8

// Check is a compiled manifests block. It is immutable and safe for concurrent use.
type Check struct {
	domain string
	sets   []attestorSet // all of them must be content
	ignore []ignored
	// dryRun asks for a comparison with what the API server would make of the manifest.
	dryRun bool
}

// attestorSet is content when enough of its entries are.
type attestorSet struct {
	required int
	entries  []attestor
}

// attestor is one key, or a nested set.
type attestor struct {
	where       string // for messages: attestors[0].entries[1].keys
	key         key
	nested      *attestorSet
	annotations map[string]string // that the object must have
	unbuilt     error             // what the attestor needs and cannot have
}

// CompileError says at which place of a manifests block something is wrong.
type CompileError struct {
	Path []any // keys (string) and indexes (int)
	Err  error
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("compiling manifests at %s: %v", fieldpath.Text(e.Path), e.Err)
}

func (e *CompileError) Unwrap() error { return e.Err }

// Compile reads a manifests block. Errors are *CompileError.
func Compile(spec *kyvernov1.Manifests) (*Check, error) {
	c := &Check{domain: spec.AnnotationDomain, dryRun: spec.DryRunOption.Enable}
	if c.domain == "" {
		c.domain = defaultDomain
	}
	if spec.Repository != "" {
		return nil, &CompileError{Path: []any{"repository"}, Err: errors.New("signatures in a registry are not built yet")}
	}
	if len(spec.Attestors) == 0 {
		return nil, &CompileError{Path: []any{"attestors"}, Err: errors.New("is empty: nothing would be verified")}
	}
	for i := range spec.Attestors {
		set, err := compileSet(&spec.Attestors[i], []any{"attestors", i}, 0)
		if err != nil {
			return nil, err
		}
		c.sets = append(c.sets, *set)
	}
	for i := range spec.IgnoreFields {
		c.ignore = append(c.ignore, compileIgnored(&spec.IgnoreFields[i]))
	}
	c.ignore = append(c.ignore, defaultIgnored()...)
	return c, nil
}

func compileSet(from *kyvernov1.AttestorSet, path []any, depth int) (*attestorSet, error) {
	if depth > maxNesting {
		return nil, &CompileError{Path: path, Err: fmt.Errorf("attestors are nested more than %d deep", maxNesting)}
	}
	set := &attestorSet{}
	for i := range from.Entries {
		entries, err := compileAttestor(&from.Entries[i], extend(path, "entries", i), depth)
		if err != nil {
			return nil, err
		}
		set.entries = append(set.entries, entries...)
	}
	set.required = len(set.entries)
	if from.Count != nil && *from.Count != 0 {
		set.required = *from.Count
	}
	switch {
	case len(set.entries) == 0:
		return nil, &CompileError{Path: extend(path, "entries"), Err: errors.New("is empty: nothing would be verified")}
	case set.required < 0 || set.required > len(set.entries):
		return nil, &CompileError{Path: extend(path, "count"), Err: fmt.Errorf("is %d of %d entries", set.required, len(set.entries))}
	}
	return set, nil
}

func extend(path []any, more ...any) []any { return append(path[:len(path):len(path)], more...) }

// compileAttestor gives more than one for a block with several keys: each counts for itself.
func compileAttestor(from *kyvernov1.Attestor, path []any, depth int) ([]attestor, error) {
	a := attestor{where: fieldpath.Text(path), annotations: from.Annotations}
	switch {
	case from.Repository != "":
		a.unbuilt = errors.New("signatures in a registry are not built yet")
	case from.Attestor != nil:
		var nested kyvernov1.AttestorSet
		if err := json.Unmarshal(from.Attestor.Raw, &nested); err != nil {
			return nil, &CompileError{Path: extend(path, "attestor"), Err: err}
		}
		var err error
		if a.nested, err = compileSet(&nested, extend(path, "attestor"), depth+1); err != nil {
			return nil, err
		}
	case from.Keys != nil:
		return compileKeys(from, a, extend(path, "keys"))
	case from.Certificates != nil:
		a.unbuilt = errors.New("attestors with certificates are not built yet")
	case from.Keyless != nil:
		a.unbuilt = errors.New("keyless attestors are not built yet")
	default:
		return nil, &CompileError{Path: path, Err: errors.New("is empty: expected keys, or a nested attestor")}
	}
	return []attestor{a}, nil
}

func compileKeys(from *kyvernov1.Attestor, a attestor, path []any) ([]attestor, error) {
	a.where = fieldpath.Text(path)
	spec := from.Keys
	switch {
	case spec.Secret != nil, strings.HasPrefix(spec.PublicKeys, "k8s://"):
		a.unbuilt = errors.New("keys in Secrets are not built yet")
	case spec.KMS != "", strings.Contains(spec.PublicKeys, "://"):
		a.unbuilt = errors.New("keys in a key management service are not built yet")
	case strings.Contains(spec.PublicKeys, "BEGIN PGP"):
		a.unbuilt = errors.New("PGP keys are not built yet")
	case strings.Contains(spec.PublicKeys, "{{"):
		a.unbuilt = errors.New("keys from variables are not built yet")
	}
	if a.unbuilt != nil {
		return []attestor{a}, nil
	}
	if name := from.SignatureAlgorithm; name != "" && name != "sha256" {
		return nil, &CompileError{Path: extend(path[:len(path)-1], "signatureAlgorithm"), Err: fmt.Errorf("signatures with %s are not built yet", name)}
	}
	keys, err := parseKeys(spec.PublicKeys)
	if err != nil {
		return nil, &CompileError{Path: extend(path, "publicKeys"), Err: err}
	}
	out := make([]attestor, len(keys))
	for i, k := range keys {
		out[i] = a
		out[i].key = k
		if len(keys) > 1 {
			out[i].where = fmt.Sprintf("%s, key %d", a.where, i+1)
		}
	}
	return out, nil
}

// ignored are fields that may differ, of some objects.
type ignored struct {
	fields  []glob.Glob
	objects []objectPattern
}

func compileIgnored(from *kyvernov1.ObjectFieldBinding) ignored {
	out := ignored{fields: compileFields(from.Fields...)}
	for _, o := range from.Objects {
		out.objects = append(out.objects, objectPattern{o.Group, o.Version, o.Kind, o.Name, o.Namespace})
	}
	return out
}
