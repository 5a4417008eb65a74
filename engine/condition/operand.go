package condition

import (
	"strings"
	"time"

	"github.com/blang/semver/v4"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// operand is one side of a comparison: a JSON value, and what was read from it at load if it holds no
// variable. Each method answers from there, or reads the value now.
type operand struct {
	value any
	known *facts
}

// facts is all that the operators may ask of a value that never changes.
type facts struct {
	duration   time.Duration
	isDuration bool
	quantity   resource.Quantity
	size       size
	number     float64
	isNumber   bool
	version    semver.Version
	isVersion  bool
	glob       glob.Glob
	members    members
}

// static prepares a value that holds no variable.
func static(value any) operand {
	o := operand{value: value}
	known := facts{members: readMembers(value)}
	known.duration, known.isDuration = o.duration()
	known.quantity, known.size = o.quantity()
	known.number, known.isNumber = o.numeral()
	known.version, known.isVersion = o.version()
	if s, ok := value.(string); ok {
		known.glob = glob.Compile(s)
	}
	known.members.prepare()
	o.known = &known
	return o
}

// duration reads a text such as 1h30m, as time.ParseDuration does.
func (o *operand) duration() (time.Duration, bool) {
	if o.known != nil {
		return o.known.duration, o.known.isDuration
	}
	s, ok := o.value.(string)
	if !ok || !mayBeDuration(s) {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// quantity reads a text such as 100m or 1Gi, as the API server does.
func (o *operand) quantity() (resource.Quantity, size) {
	if o.known != nil {
		return o.known.quantity, o.known.size
	}
	s, ok := o.value.(string)
	if !ok {
		return resource.Quantity{}, notQuantity
	}
	return parseQuantity(s)
}

// numeral reads a text that spells a number.
func (o *operand) numeral() (float64, bool) {
	if o.known != nil {
		return o.known.number, o.known.isNumber
	}
	s, ok := o.value.(string)
	if !ok {
		return 0, false
	}
	return parseNumber(s)
}

// version reads a text such as 1.27.3-rc.1, as semver.org has it.
func (o *operand) version() (semver.Version, bool) {
	if o.known != nil {
		return o.known.version, o.known.isVersion
	}
	s, ok := o.value.(string)
	if !ok || !startsNumber(s) || strings.Count(s, ".") < 2 {
		return semver.Version{}, false
	}
	v, err := semver.Parse(s)
	return v, err == nil
}

// matches reports whether the operand, as a text with wildcards, matches s.
func (o *operand) matches(pattern, s string) bool {
	if o.known != nil {
		return o.known.glob.Match(s)
	}
	return glob.Match(pattern, s)
}

// members reads the operand as the right side of AnyIn and its kin.
func (o *operand) members() members {
	if o.known != nil {
		return o.known.members
	}
	return readMembers(o.value)
}
