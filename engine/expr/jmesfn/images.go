package jmesfn

import (
	"errors"
	"strings"

	"github.com/distribution/reference"
)

// DefaultRegistry is where an image lives whose reference names no registry.
const DefaultRegistry = "docker.io"

// imageFunctions work on image references.
var imageFunctions = []function{
	{Spec: Spec{
		Name: "image_normalize", Args: []Arg{arg("image", String)}, Returns: String,
		Doc: "Writes an image reference in full: with its registry (" + DefaultRegistry + " when it names none) and with its digest, " +
			"or else its tag (latest when it has neither).",
		Examples: []Example{{Expr: "image_normalize('nginx')", Result: `"docker.io/nginx:latest"`}},
	}, impl: func(c *call) (any, error) {
		image, err := normalizeImage(c.string(0))
		if err != nil {
			return nil, c.argument(0, "is no valid image reference: %w", err)
		}
		return image, nil
	}},
}

func normalizeImage(image string) (string, error) {
	if !namesRegistry(image) {
		image = DefaultRegistry + "/" + image
	}
	parsed, err := reference.Parse(image)
	if err != nil {
		return "", err
	}
	named, ok := parsed.(reference.Named)
	if !ok {
		return "", errors.New("it has no name")
	}
	name := reference.Domain(named) + "/" + reference.Path(named)
	if digested, ok := parsed.(reference.Digested); ok {
		return name + "@" + digested.Digest().String(), nil
	}
	if tagged, ok := parsed.(reference.Tagged); ok {
		return name + ":" + tagged.Tag(), nil
	}
	return name + ":latest", nil
}

// namesRegistry tells whether the part before the first slash is a host: repositories have neither dots,
// colons nor capitals there.
func namesRegistry(image string) bool {
	first, _, found := strings.Cut(image, "/")
	return found && (strings.ContainsAny(first, ".:") || first == "localhost" || first != strings.ToLower(first))
}
