package cel

import "strings"

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
