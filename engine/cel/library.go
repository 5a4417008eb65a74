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

// libraryOptions declare the libraries.
func libraryOptions(reach) []cel.EnvOption {
	return []cel.EnvOption{
		cel.Variable(varResource, resourceType),
		cel.Variable(varHTTP, httpType),
		cel.Variable(varGlobalContext, globalContextType),
		cel.Variable(varImage, imageDataType),
		cel.Variable(varGenerator, generatorType),
		cel.Variable(varJSON, jsonType),
		cel.Variable(varYAML, yamlType),
		cel.Variable(varWorld, worldType),
	}
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
