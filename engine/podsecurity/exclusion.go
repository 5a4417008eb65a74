package podsecurity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"k8s.io/pod-security-admission/policy"

	"github.com/holdfast-io/holdfast/engine/fieldpath"
	"github.com/holdfast-io/holdfast/engine/glob"
)

// Exclusion excuses settings that one control refuses. It is immutable.
type Exclusion struct {
	checks []policy.CheckID
	images []glob.Glob // none: the Pod's own settings, and not those of containers
	field  string      // empty: each field of the control
	values []glob.Glob // none: whatever the value
}

// CompileError says at which place of a podSecurity block, or of a list of exclusions, something is wrong.
type CompileError struct {
	Path []any // keys (string) and indexes (int)
	Err  error
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("compiling podSecurity at %s: %v", fieldpath.Text(e.Path), e.Err)
}

func (e *CompileError) Unwrap() error { return e.Err }

// CompileExclusions reads the podSecurity list of a PolicyException. Errors are *CompileError.
func CompileExclusions(list []kyvernov1.PodSecurityStandard) ([]Exclusion, error) {
	out := make([]Exclusion, 0, len(list))
	for i := range list {
		x, key, err := compileExclusion(&list[i])
		if err != nil {
			return nil, &CompileError{Path: []any{i, key}, Err: err}
		}
		out = append(out, x)
	}
	return out, nil
}

// compileExclusion gives the key that is wrong with the error.
func compileExclusion(from *kyvernov1.PodSecurityStandard) (x Exclusion, key string, err error) {
	c, err := findControl(from.ControlName)
	if err != nil {
		return x, "controlName", err
	}
	switch {
	case c.scope == containerScope && len(from.Images) == 0:
		return x, "images", fmt.Errorf("%s is a control of containers: an exclusion must say of which images", c.name)
	case c.scope == podScope && len(from.Images) > 0:
		return x, "images", fmt.Errorf("%s is a control of the Pod as a whole: an exclusion cannot name images", c.name)
	case from.RestrictedField != "" && len(from.Values) == 0:
		return x, "values", errors.New("is missing: with restrictedField the excused values must be listed")
	case from.RestrictedField == "" && len(from.Values) > 0:
		return x, "restrictedField", errors.New("is missing: values are those of one field")
	}
	x = Exclusion{checks: c.checks, field: from.RestrictedField}
	x.images, x.values = glob.CompileAll(from.Images), glob.CompileAll(from.Values)
	return x, "", nil
}

func findControl(name string) (control, error) {
	known := controls()
	names := make([]string, 0, len(known))
	for _, c := range known {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return control{}, fmt.Errorf("unknown control %q: the controls are %s", name, strings.Join(names, ", "))
}

// covers reports whether the exclusion names the setting. Nothing but the two is looked at, so that the order
// of exclusions never matters. A setting that is missing has no value that could differ from the excused ones.
func (x *Exclusion) covers(s *setting) bool {
	if !slices.Contains(x.checks, s.check) || s.field == "" {
		return false
	}
	if s.container == nil {
		if x.images != nil {
			return false
		}
	} else if x.images == nil || !glob.MatchAny(x.images, s.container.Image) {
		return false
	}
	if x.field != "" && x.field != s.field {
		return false
	}
	for _, v := range s.values {
		if x.values != nil && !glob.MatchAny(x.values, v) {
			return false
		}
	}
	return true
}

// coversBareContainer reports whether the exclusion, on a Pod whose containers would be refused for setting
// nothing, speaks of that. Kyverno judges exclusions without images on the Pod with one empty container put
// in place of its own: what that container is refused for is excused once, in the list containers.
func (x *Exclusion) coversBareContainer(id policy.CheckID, field string) bool {
	return x.images == nil && slices.Contains(x.checks, id) && (x.field == "" || x.field == field)
}

// excuse leaves the settings that no exclusion names.
func (s *search) excuse(settings []setting, exclusions []Exclusion) []setting {
	left := make([]setting, 0, len(settings))
	for i := range settings {
		if !slices.ContainsFunc(exclusions, func(x Exclusion) bool { return x.covers(&settings[i]) }) {
			left = append(left, settings[i])
		}
	}
	var field string
	switch s.id {
	case runAsNonRoot:
		field = "spec.containers[*].securityContext.runAsNonRoot"
	case seccompRestricted:
		field = "spec.containers[*].securityContext.seccompProfile.type"
	default:
		return left
	}
	once := slices.IndexFunc(left, func(l setting) bool { return l.field == field })
	if once < 0 || !s.bareContainerRefused() {
		return left
	}
	if slices.ContainsFunc(exclusions, func(x Exclusion) bool { return x.coversBareContainer(s.id, field) }) {
		return slices.Delete(left, once, once+1)
	}
	return left
}
