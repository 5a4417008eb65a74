package cel

import (
	"regexp"
	"strings"
)

// Shift rewrites an expression about a Pod to one about an object with a pod template at the given path, such as
// ["spec", "template"]: object.spec becomes object.spec.template.spec, and the same for metadata and for oldObject.
//
// It works on the text, as Kyverno does it for generated rules: what does not begin with object.spec, object.metadata or
// the like (object.?spec, object["spec"]) stays as it is, and so does what is written inside a text constant.
func Shift(text string, template []string) string {
	below := "." + strings.Join(template, ".") + "."
	// oldObject needs no pair of its own: its name ends in Object, with a capital letter
	return strings.NewReplacer(
		"object.spec", "object"+below+"spec",
		"object.metadata", "object"+below+"metadata",
		"oldObject.spec", "oldObject"+below+"spec",
		"oldObject.metadata", "oldObject"+below+"metadata",
	).Replace(text)
}

var podParts = regexp.MustCompile(`(object|oldObject)\.(spec|metadata)(\.namespace\b)?`)

// ShiftPolicy is Shift by the rules of policies.kyverno.io, where object.metadata.namespace stays as it is: a pod template
// has no namespace, and the object's is that of its Pods.
func ShiftPolicy(text string, template []string) string {
	below := "." + strings.Join(template, ".") + "."
	return podParts.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasSuffix(found, ".namespace") {
			return found
		}
		object, part, _ := strings.Cut(found, ".")
		return object + below + part
	})
}
