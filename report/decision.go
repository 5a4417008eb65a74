package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-io/holdfast/engine"
)

// Subject is the object that was judged.
type Subject struct {
	Resource Resource
	// Object is its content, for what must not be told of it.
	Object map[string]any
}

// maxMessage and maxPatch bound what one result brings into a report, which must fit into etcd's 1.5 MiB
// with its neighbours. The longest message of the shipped policies has 300 bytes; a patch of 128 KiB
// changes some thousand places.
const (
	maxMessage = 4 << 10
	maxPatch   = 128 << 10
)

// FromDecision turns the verdict of a rule on the subject into a result. Values of a Secret are taken out
// of it.
func FromDecision(d *engine.Decision, s Subject) Result {
	secret := newRedactor(s)
	r := Result{
		Source: Source, Policy: d.Policy.Key(), Rule: d.Rule.Name,
		Result: Status(d.Status.String()), Severity: severity(d.Policy.Severity), Category: d.Policy.Category,
		Message: shorten(secret.text(d.Message)), Scored: d.Policy.Scored,
		Resources: []Resource{s.Resource}, Properties: maps.Clone(d.Rule.Properties),
	}
	if d.Policy.Kind != "" {
		r.set(PropertyPolicyKind, d.Policy.Kind)
	}
	if (d.Status == engine.Fail || d.Status == engine.Warn) && d.Rule.Kind == engine.Validate {
		r.set(PropertyAction, d.Action.String())
	}
	for _, name := range slices.Sorted(maps.Keys(d.Properties)) {
		r.set(name, secret.text(d.Properties[name]))
	}
	if len(d.Exceptions) > 0 {
		r.set(PropertyExceptions, strings.Join(d.Exceptions, ", "))
	}
	if d.Path != "" {
		r.set(PropertyPath, d.Path)
	}
	if len(d.Patch) > 0 {
		r.setJSON(PropertyPatch, PropertyPatchOmitted, secret.patch(d.Patch))
	}
	if len(d.Changes) > 0 {
		r.setJSON(PropertyChanges, PropertyChangesOmitted, changesOf(d.Changes, secret))
	}
	return r
}

func (r *Result) set(property, value string) {
	if r.Properties == nil {
		r.Properties = map[string]string{}
	}
	r.Properties[property] = value
}

// Place adds where the finding is written.
func (r *Result) Place(at Origin) {
	r.Origin = at
	r.set(PropertyFile, at.File)
	if at.Line > 0 {
		r.set(PropertyLine, fmt.Sprint(at.Line))
	}
}

// severity is one of the values that PolicyReport allows, or empty.
func severity(written string) string {
	s := strings.ToLower(strings.TrimSpace(written))
	if slices.Contains([]string{"critical", "high", "medium", "low", "info"}, s) {
		return s
	}
	return ""
}

func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	end := maxMessage
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d more bytes)", message[:end], len(message)-end)
}
