package cel

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// The names that Kyverno's language adds.
const (
	varExceptions    = "exceptions"
	varResource      = "resource"
	varHTTP          = "http"
	varGlobalContext = "globalContext"
	varImage         = "image"
	varGenerator     = "generator"
	varJSON          = "json"
	varYAML          = "yaml"
	// varWorld cannot be written: macros add it to calls of functions that need the evaluation and have nothing before
	// their dot, such as time.now().
	varWorld = "@world"
)

// Types of the names before the dots of functions.
var (
	resourceType      = types.NewOpaqueType("resource.Context")
	httpType          = types.NewOpaqueType("http.Context")
	globalContextType = types.NewOpaqueType("globalcontext.Context")
	imageDataType     = types.NewOpaqueType("imagedata.Context")
	generatorType     = types.NewOpaqueType("generator.Context")
	jsonType          = types.NewOpaqueType("json.Json")
	yamlType          = types.NewOpaqueType("yaml.Yaml")
	worldType         = types.NewOpaqueType("holdfast.World")
)

// aLibrary is the functions of one subject.
type aLibrary struct {
	name      string
	functions []function
}

// libraries are all of them, in the order of the documents.
func libraries() []aLibrary {
	return []aLibrary{
		{"resource", resourceFunctions()},
		{"http", httpFunctions()},
		{"globalContext", globalContextFunctions()},
		{"image", imageDataFunctions()},
		{"image references", imageFunctions()},
		{"user", userFunctions()},
		{"generator", generatorFunctions()},
		{"json", jsonFunctions()},
		{"yaml", yamlFunctions()},
		{"hash", hashFunctions()},
		{"gzip", gzipFunctions()},
		{"math", mathFunctions()},
		{"random", randomFunctions()},
		{"time", timeFunctions()},
		{"transform", transformFunctions()},
		{"x509", x509Functions()},
	}
}

// libraryOptions declare the libraries for the policies of a reach.
func libraryOptions(r reach) []cel.EnvOption {
	options := []cel.EnvOption{
		cel.Variable(varResource, resourceType),
		cel.Variable(varHTTP, httpType),
		cel.Variable(varGlobalContext, globalContextType),
		cel.Variable(varImage, imageDataType),
		cel.Variable(varGenerator, generatorType),
		cel.Variable(varJSON, jsonType),
		cel.Variable(varYAML, yamlType),
		cel.Variable(varWorld, worldType),
		worldMacros(),
	}
	for _, l := range libraries() {
		for i := range l.functions {
			options = append(options, l.functions[i].options(r)...)
		}
	}
	return options
}

// library gives the values of the names of libraries.
func (e *evaluation) library(name string) (any, bool) {
	switch name {
	case varExceptions:
		return map[string]any{"allowedImages": e.in.Exceptions.AllowedImages, "allowedValues": e.in.Exceptions.AllowedValues}, true
	case varResource:
		return &handle{e: e, is: resourceType}, true
	case varHTTP:
		return &handle{e: e, is: httpType}, true
	case varGlobalContext:
		return &handle{e: e, is: globalContextType}, true
	case varImage:
		return &handle{e: e, is: imageDataType}, true
	case varGenerator:
		return &handle{e: e, is: generatorType}, true
	case varJSON:
		return &handle{e: e, is: jsonType}, true
	case varYAML:
		return &handle{e: e, is: yamlType}, true
	case varWorld:
		return &handle{e: e, is: worldType}, true
	default:
		return nil, false
	}
}

// handle is the value of a library's name: it takes the functions of the library to the evaluation in hand.
type handle struct {
	e        *evaluation
	is       *types.Type
	caBundle string // of http
}

var _ ref.Val = (*handle)(nil)

func (h *handle) Type() ref.Type { return h.is }
func (h *handle) Value() any     { return h }

func (h *handle) Equal(other ref.Val) ref.Val {
	o, ok := other.(*handle)
	return types.Bool(ok && *o == *h)
}

func (h *handle) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return h.is
	}
	return types.NewErr("type conversion error from '%s' to '%s'", h.is, t)
}

func (h *handle) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s has no value of type %s", h.is, t)
}
