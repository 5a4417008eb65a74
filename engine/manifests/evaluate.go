package manifests

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// Outcome is what a check says of an object.
type Outcome uint8

// The outcomes of a check.
const (
	Pass  Outcome = iota // enough keys signed the object as it is
	Fail                 // they did not
	Error                // that cannot be found out; never means a pass
)

func (o Outcome) String() string {
	switch o {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	default:
		return "error"
	}
}

// Result is the verdict on an object.
type Result struct {
	Outcome Outcome
	Reason  string // of a Fail: what is not signed, or not as it was signed
	Path    string // of a Fail because of a difference: the first field that differs
	Err     error  // of an Error
}

// Evaluate judges an object by the signatures in its annotations.
func (c *Check) Evaluate(object map[string]any) Result {
	e := &evaluation{check: c, object: object}
	meta, _ := object["metadata"].(map[string]any)
	e.annotations, _ = meta["annotations"].(map[string]any)
	e.signed, e.unsigned = readSigned(e.annotations, c.domain)
	for i := range c.sets {
		if res := e.set(&c.sets[i]); res.Outcome != Pass {
			return res
		}
	}
	return Result{}
}

type evaluation struct {
	check       *Check
	object      map[string]any
	annotations map[string]any
	signed      *signed
	unsigned    error // why there is no signed manifest
	compared    *Result
}

// set is content when enough entries are. Too few are a Fail if that is certain, and an Error if entries that
// cannot be asked would make the difference.
func (e *evaluation) set(s *attestorSet) Result {
	verified := 0
	var failed []string
	var missing []error
	path := ""
	for i := range s.entries {
		a := &s.entries[i]
		switch res := e.attestor(a); res.Outcome {
		case Pass:
			if verified++; verified >= s.required {
				return Result{}
			}
		case Fail:
			if path == "" {
				path = res.Path
			}
			if !slices.Contains(failed, res.Reason) {
				failed = append(failed, res.Reason)
			}
		default:
			missing = append(missing, res.Err)
		}
	}
	if verified+len(missing) >= s.required {
		return Result{Outcome: Error, Err: errors.Join(missing...)}
	}
	reason := strings.Join(failed, "; ")
	if len(s.entries) > 1 {
		reason = fmt.Sprintf("%d of %d attestors verified, %d needed: %s", verified, len(s.entries), s.required, reason)
	}
	return Result{Outcome: Fail, Reason: reason, Path: path}
}

func (e *evaluation) attestor(a *attestor) Result {
	for _, key := range sortedKeys(a.annotations) {
		if e.annotations[key] != a.annotations[key] {
			return Result{Outcome: Fail, Reason: fmt.Sprintf("%s asks for the annotation %s: %s", a.where, key, a.annotations[key])}
		}
	}
	switch {
	case a.unbuilt != nil:
		return Result{Outcome: Error, Err: fmt.Errorf("%s: %w", a.where, a.unbuilt)}
	case a.nested != nil:
		return e.set(a.nested)
	case e.unsigned != nil:
		return Result{Outcome: Fail, Reason: "the object is not signed: it " + e.unsigned.Error()}
	case !slices.ContainsFunc(e.signed.signatures, func(s []byte) bool { return a.key.verifies(e.signed.message, s) }):
		return Result{Outcome: Fail, Reason: "no signature is from " + a.where}
	}
	return e.compare()
}

// compare looks at the manifest, which is known to be signed by then, once.
func (e *evaluation) compare() Result {
	if e.compared == nil {
		res := e.compareManifests()
		e.compared = &res
	}
	return *e.compared
}

func (e *evaluation) compareManifests() Result {
	all, err := e.signed.manifests()
	if err != nil {
		return Result{Outcome: Fail, Reason: "the signed manifest cannot be read: " + err.Error()}
	}
	id := identify(e.object)
	found := candidates(all, id)
	if len(found) == 0 {
		return Result{Outcome: Fail, Reason: "what is signed holds no " + id.kind}
	}
	mayDiffer := e.mayDiffer(id)
	var diff []string
	for i, manifest := range found {
		d := differences(manifest, e.object, mayDiffer)
		if len(d) == 0 {
			return Result{}
		}
		if i == 0 {
			diff = d
		}
	}
	if e.check.dryRun {
		return Result{Outcome: Error, Err: errors.New("the object differs from what is signed, and comparing them by a dry run is not built yet")}
	}
	const shown = 5
	text := strings.Join(diff[:min(shown, len(diff))], ", ")
	if len(diff) > shown {
		text += fmt.Sprintf(" and %d more", len(diff)-shown)
	}
	return Result{Outcome: Fail, Reason: "the object is not as it was signed: " + text, Path: diff[0]}
}

// candidates are the manifests of the object's own name; or if there are none, all of its kind, one of which may
// have been applied under another name where the policy lets names differ.
func candidates(all []map[string]any, id *objectPattern) []map[string]any {
	var named, ofKind []map[string]any
	for _, manifest := range all {
		m := identify(manifest)
		if m.kind != id.kind {
			continue
		}
		ofKind = append(ofKind, manifest)
		if m.group == id.group && m.name == id.name {
			named = append(named, manifest)
		}
	}
	if len(named) > 0 {
		return named
	}
	return ofKind
}

func (e *evaluation) mayDiffer(id *objectPattern) []glob.Glob {
	domain := "metadata.annotations." + e.check.domain + "/"
	fields := []glob.Glob{
		glob.Compile(domain + "message*"), glob.Compile(domain + "signature*"), glob.Compile(domain + "certificate*"),
		glob.Compile(domain + "bundle*"), glob.Compile(domain + "resourceBundleRef*"),
	}
	for i := range e.check.ignore {
		ig := &e.check.ignore[i]
		if len(ig.objects) == 0 || slices.ContainsFunc(ig.objects, func(o objectPattern) bool { return o.matches(id) }) {
			fields = append(fields, ig.fields...)
		}
	}
	return fields
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
