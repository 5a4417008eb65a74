package cel

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/go-containerregistry/pkg/name"
)

// maxReference is how long the reference of an image may be: a repository has at most 255 bytes, a tag 128 and a digest
// less than 200.
const maxReference = 1024

func imageFunctions() []function {
	const example = "parseImageReference('web:1.2')"
	part := func(called, is, of, gives string, result *types.Type, read func(name.Reference) ref.Val) function {
		return function{
			names: []string{called}, on: imageType, is: is, example: of + "." + called + "()", gives: gives,
			forms: []form{{gives: result, call: func(args []ref.Val) ref.Val {
				i, ok := args[0].(imageReference)
				if !ok {
					return types.MaybeNoSuchOverloadErr(args[0])
				}
				return read(i.Reference)
			}}},
		}
	}
	return []function{
		{
			names:   []string{"parseImageReference", "image"},
			is:      "Reads the reference of an image, with the registry, repository and tag that a container runtime adds.",
			example: `parseImageReference('web:1.2').repository()`, gives: `'library/web'`,
			forms: []form{{takes: []parameter{{"reference", textType}}, gives: imageType, call: func(args []ref.Val) ref.Val {
				parsed, err := parseReference(argText(args, 0))
				if err != nil {
					return failed("parseImageReference", err)
				}
				return imageReference{parsed}
			}}},
		},
		{
			names:   []string{"isImage"},
			is:      "Tells whether a text is the reference of an image.",
			example: `isImage('web:1.2') && !isImage('web:')`, gives: `true`,
			forms: []form{{takes: []parameter{{"reference", textType}}, gives: types.BoolType, call: func(args []ref.Val) ref.Val {
				_, err := parseReference(argText(args, 0))
				return types.Bool(err == nil)
			}}},
		},
		part("containsDigest", "Tells whether the reference has a digest.", example, "false", types.BoolType, func(r name.Reference) ref.Val {
			return types.Bool(digestOf(r) != "")
		}),
		part("registry", "Gives the registry.", example, "'index.docker.io'", textType, func(r name.Reference) ref.Val {
			return types.String(r.Context().RegistryStr())
		}),
		part("repository", "Gives the path of the image in its registry.", example, "'library/web'", textType, func(r name.Reference) ref.Val {
			return types.String(r.Context().RepositoryStr())
		}),
		part("identifier", "Gives the tag, the digest, or both as tag@digest.", example, "'1.2'", textType, func(r name.Reference) ref.Val {
			if tag, digest := tagOf(r), digestOf(r); tag != "" && digest != "" {
				return types.String(tag + "@" + digest)
			}
			return types.String(r.Identifier())
		}),
		part("identifierWithSeparator", "Gives the digest behind @, or the tag behind a colon.", example, "':1.2'", textType, func(r name.Reference) ref.Val {
			if digest := digestOf(r); digest != "" {
				return types.String("@" + digest)
			}
			return types.String(":" + r.Identifier())
		}),
		part("tag", "Gives the tag; latest where there is neither tag nor digest.", "parseImageReference('web')", "'latest'", textType, func(r name.Reference) ref.Val {
			return types.String(tagOf(r))
		}),
		part("digest", "Gives the digest, empty if there is none.", example, "''", textType, func(r name.Reference) ref.Val {
			return types.String(digestOf(r))
		}),
	}
}

func parseReference(text string) (name.Reference, error) {
	if len(text) > maxReference {
		return nil, fmt.Errorf("a reference of %d bytes is longer than %d", len(text), maxReference)
	}
	parsed, err := name.ParseReference(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not the reference of an image", text)
	}
	return parsed, nil
}

func digestOf(r name.Reference) string {
	if d, ok := r.(name.Digest); ok {
		return d.DigestStr()
	}
	return ""
}

// tagOf gives the tag, also where it stands before a digest.
func tagOf(r name.Reference) string {
	if t, ok := r.(name.Tag); ok {
		return t.TagStr()
	}
	before, _, _ := strings.Cut(r.String(), "@")
	last := before[strings.LastIndexByte(before, '/')+1:] // a colon further left is of a port
	_, tag, _ := strings.Cut(last, ":")
	return tag
}

// imageReference is a parsed reference.
type imageReference struct{ name.Reference }

var (
	_ ref.Val = imageReference{}

	imageType = types.NewOpaqueType("kyverno.image")
)

func (i imageReference) Type() ref.Type { return imageType }
func (i imageReference) Value() any     { return i.Reference }

func (i imageReference) Equal(other ref.Val) ref.Val {
	o, ok := other.(imageReference)
	return types.Bool(ok && reflect.DeepEqual(i.Reference, o.Reference))
}

func (i imageReference) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return imageType
	default:
		return types.NewErr("type conversion error from '%s' to '%s'", imageType, t)
	}
}

func (i imageReference) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s has no value of type %s", imageType, t)
}
