package podsecurity

import (
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/pod-security-admission/api"
)

// Check is a compiled podSecurity block. It is immutable and safe for concurrent use.
type Check struct {
	level     string
	revisions []revision
	exclude   []Exclusion
}

// Compile reads a podSecurity block. Errors are *CompileError, with the path below the block.
func Compile(spec *kyvernov1.PodSecurity) (*Check, error) {
	level, err := parseLevel(spec.Level)
	if err != nil {
		return nil, &CompileError{Path: []any{"level"}, Err: err}
	}
	version, err := parseVersion(spec.Version)
	if err != nil {
		return nil, &CompileError{Path: []any{"version"}, Err: err}
	}
	c := &Check{
		level:     api.LevelVersion{Level: level, Version: version}.String(),
		revisions: revisions(level, version),
	}
	for i := range spec.Exclude {
		x, key, err := compileExclusion(&spec.Exclude[i])
		if err != nil {
			return nil, &CompileError{Path: []any{"exclude", i, key}, Err: err}
		}
		if level == api.LevelBaseline {
			if known, _ := findControl(spec.Exclude[i].ControlName); known.restricted {
				err := fmt.Errorf("%s is no control of level baseline", known.name)
				return nil, &CompileError{Path: []any{"exclude", i, "controlName"}, Err: err}
			}
		}
		c.exclude = append(c.exclude, x)
	}
	return c, nil
}

// Level gives the level and version of the standards that the check asks for, as baseline:v1.29.
func (c *Check) Level() string { return c.level }

// Outcome is what a check says of an object.
type Outcome uint8

// The outcomes of a check.
const (
	Pass    Outcome = iota // allowed, with the check's own exclusions
	Excused                // refused but for the exclusions given at evaluation
	Fail                   // refused
	Error                  // not to be judged; never means allowed
)

func (o Outcome) String() string {
	switch o {
	case Pass:
		return "pass"
	case Excused:
		return "excused"
	case Fail:
		return "fail"
	default:
		return "error"
	}
}

// Result is the verdict on an object.
type Result struct {
	Outcome    Outcome
	Level      string      // of the check, as baseline:v1.29
	Violations []Violation // of a Fail: by control, in a fixed order
	Err        error       // of an Error
}

// Violation is one control that refuses the object.
type Violation struct {
	Check   string // the name of the check in Kubernetes' library, such as capabilities_baseline
	Control string // the control's name as exclusions write it, such as Capabilities
	Reason  string // in the words of the library: "non-default capabilities"
	Detail  string // likewise, with names and values
	Fields  []Field
}

// Field is one field that a control refuses.
type Field struct {
	Path   string   // from the top of the object: spec.template.spec.containers[0].securityContext.privileged
	Values []string // what is set there; none for a field that must be set
	Image  string   // the image of the container; empty for fields of the Pod
}

// Evaluate judges an object of a kind that is a Pod or holds a Pod template; other kinds are an Error. Extra are
// exclusions of policy exceptions that match the object.
func (c *Check) Evaluate(kind schema.GroupVersionKind, object map[string]any, extra []Exclusion) Result {
	result := Result{Level: c.level}
	p, err := decode(kind.Kind, object)
	if err != nil {
		result.Outcome, result.Err = Error, err
		return result
	}
	for i := range c.revisions {
		r := &c.revisions[i]
		verdict, refused := r.refusedSettings(p)
		if len(refused) == 0 {
			continue
		}
		s := &search{revision: *r, pod: p}
		if len(s.excuse(refused, c.exclude)) == 0 {
			continue
		}
		// Asked with all exclusions at once: an exception adds to the policy's, in no order.
		left := s.excuse(refused, append(c.exclude[:len(c.exclude):len(c.exclude)], extra...))
		if len(left) == 0 {
			result.Outcome = max(result.Outcome, Excused)
			continue
		}
		result.Outcome = Fail
		v := Violation{Check: string(r.id), Control: r.control, Reason: verdict.ForbiddenReason, Detail: verdict.ForbiddenDetail}
		for _, l := range left {
			v.Fields = append(v.Fields, l.report())
		}
		result.Violations = append(result.Violations, v)
	}
	return result
}

func (s *setting) report() Field {
	f := Field{Path: s.path, Values: s.values}
	if s.container != nil {
		f.Image = s.container.Image
	}
	return f
}

// Message says what a Fail found, naming each control once with its fields: Host Namespaces
// (spec.hostNetwork is true).
func (r *Result) Message() string {
	var order []string
	found := map[string][]string{}
	for i := range r.Violations {
		v := &r.Violations[i]
		if _, ok := found[v.Control]; !ok {
			order = append(order, v.Control)
		}
		for _, text := range v.texts() {
			// the checks of two levels may refuse the same field
			if !slices.Contains(found[v.Control], text) {
				found[v.Control] = append(found[v.Control], text)
			}
		}
	}
	for i, control := range order {
		order[i] = control + " (" + strings.Join(found[control], ", ") + ")"
	}
	return fmt.Sprintf("failed Pod Security Standard %s: %s", r.Level, strings.Join(order, "; "))
}

func (v *Violation) texts() []string {
	out := make([]string, len(v.Fields))
	for i, f := range v.Fields {
		switch {
		case f.Path == "":
			out[i] = v.Detail // the library's words are all there is
		case len(f.Values) > 0:
			out[i] = f.Path + " is " + strings.Join(f.Values, ", ")
		case v.Check == string(hostProbes), v.Check == string(restrictedVolumes):
			out[i] = f.Path + " is not allowed"
		default:
			out[i] = f.Path + " is not set"
		}
	}
	return out
}
