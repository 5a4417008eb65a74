package cel

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resourceFunctions have a namespace among their arguments where the policy is one of the cluster; those of a namespaced
// policy go to its own.
func resourceFunctions() []function {
	cluster, namespaced := ofCluster, ofNamespace
	api, resource := parameter{"apiVersion", textType}, parameter{"resource", textType}
	gvr := parameter{"resource", gvrType}
	namespace, name := parameter{"namespace", textType}, parameter{"name", textType}
	labels, object := parameter{"labels", textsType}, parameter{"object", dataType}
	return []function{
		{
			names: pascal("Get"), on: resourceType,
			is:      "Looks up one object; null if it does not exist.",
			example: `resource.Get('v1', 'configmaps', 'shop', 'settings').data.tier`, gives: `'gold'`,
			forms: []form{
				{takes: []parameter{api, resource, namespace, name}, only: &cluster, gives: types.DynType, call: func(args []ref.Val) ref.Val {
					return get1(args[0], argText(args, 1), argText(args, 2), argText(args, 3), argText(args, 4))
				}},
				{takes: []parameter{gvr, namespace, name}, only: &cluster, gives: types.DynType, call: func(args []ref.Val) ref.Val {
					r := argGVR(args, 1)
					return get1(args[0], r.GroupVersion().String(), r.Resource, argText(args, 2), argText(args, 3))
				}},
				{takes: []parameter{api, resource, name}, only: &namespaced, gives: types.DynType, call: func(args []ref.Val) ref.Val {
					return get1(args[0], argText(args, 1), argText(args, 2), own(args[0]), argText(args, 3))
				}},
				{takes: []parameter{gvr, name}, only: &namespaced, gives: types.DynType, call: func(args []ref.Val) ref.Val {
					r := argGVR(args, 1)
					return get1(args[0], r.GroupVersion().String(), r.Resource, own(args[0]), argText(args, 2))
				}},
			},
		},
		{
			names: pascal("List"), on: resourceType,
			is:      "Looks up the objects of a resource, those with all the labels if any are given: a list with items. An empty namespace means all.",
			example: `resource.List('v1', 'configmaps', 'shop', {'app': 'web'}).items.map(c, c.metadata.name)`, gives: `['settings']`,
			forms: []form{
				{takes: []parameter{api, resource, namespace}, only: &cluster, gives: dataType, call: func(args []ref.Val) ref.Val {
					return list1(args[0], argText(args, 1), argText(args, 2), argText(args, 3), nil)
				}},
				{takes: []parameter{api, resource, namespace, labels}, only: &cluster, gives: dataType, call: func(args []ref.Val) ref.Val {
					return list1(args[0], argText(args, 1), argText(args, 2), argText(args, 3), args[4:])
				}},
				{takes: []parameter{gvr, namespace}, only: &cluster, gives: dataType, call: func(args []ref.Val) ref.Val {
					r := argGVR(args, 1)
					return list1(args[0], r.GroupVersion().String(), r.Resource, argText(args, 2), nil)
				}},
				{takes: []parameter{gvr, namespace, labels}, only: &cluster, gives: dataType, call: func(args []ref.Val) ref.Val {
					r := argGVR(args, 1)
					return list1(args[0], r.GroupVersion().String(), r.Resource, argText(args, 2), args[3:])
				}},
				{takes: []parameter{api, resource}, only: &namespaced, gives: dataType, call: func(args []ref.Val) ref.Val {
					return list1(args[0], argText(args, 1), argText(args, 2), own(args[0]), nil)
				}},
				{takes: []parameter{api, resource, labels}, only: &namespaced, gives: dataType, call: func(args []ref.Val) ref.Val {
					return list1(args[0], argText(args, 1), argText(args, 2), own(args[0]), args[3:])
				}},
				{takes: []parameter{gvr}, only: &namespaced, gives: dataType, call: func(args []ref.Val) ref.Val {
					r := argGVR(args, 1)
					return list1(args[0], r.GroupVersion().String(), r.Resource, own(args[0]), nil)
				}},
				{takes: []parameter{gvr, labels}, only: &namespaced, gives: dataType, call: func(args []ref.Val) ref.Val {
					r := argGVR(args, 1)
					return list1(args[0], r.GroupVersion().String(), r.Resource, own(args[0]), args[2:])
				}},
			},
		},
		{
			names: pascal("Post"), on: resourceType,
			is:      "Sends an object that asks something of the API server, such as a SubjectAccessReview, and gives the answer. Nothing else can be sent.",
			example: `resource.Post('authorization.k8s.io/v1', 'subjectaccessreviews', {'kind': 'SubjectAccessReview', 'apiVersion': 'authorization.k8s.io/v1', 'spec': {'user': 'ann'}}).status.allowed`, gives: `true`,
			forms: []form{
				{takes: []parameter{api, resource, namespace, object}, only: &cluster, gives: dataType, call: func(args []ref.Val) ref.Val {
					return post1(args[0], argText(args, 1), argText(args, 2), argText(args, 3), args[4:])
				}},
				{takes: []parameter{api, resource, object}, gives: dataType, call: func(args []ref.Val) ref.Val {
					return post1(args[0], argText(args, 1), argText(args, 2), own(args[0]), args[3:])
				}},
			},
		},
		{
			names: []string{"ToGVR", "toGVR"}, on: resourceType,
			is:      "Gives the resource of a kind, for the other functions.",
			example: `resource.Get(resource.ToGVR('v1', 'ConfigMap'), 'shop', 'settings').data.tier`, gives: `'gold'`,
			forms: []form{{takes: []parameter{api, {"kind", textType}}, gives: gvrType, call: func(args []ref.Val) ref.Val {
				api, kind := argText(args, 1), argText(args, 2)
				return asking(args[0]).ask("resource.ToGVR "+api+" "+kind, func(w World) (any, error) {
					found, err := w.Resource(api, kind)
					return gvrValue(found), err
				})
			}}},
		},
	}
}

// asking is the evaluation that a function is called in.
func asking(v ref.Val) *evaluation { return v.(*handle).e }

// own is the namespace of the policy.
func own(v ref.Val) string { return asking(v).rule.namespace }

func get1(on ref.Val, api, resource, namespace, name string) ref.Val {
	return asking(on).ask(called("Get", api, resource, namespace, name), func(w World) (any, error) {
		found, err := w.Get(api, resource, namespace, name)
		return orNull(found), err
	})
}

// list1 has the labels as its last argument, if there are any.
func list1(on ref.Val, api, resource, namespace string, labels []ref.Val) ref.Val {
	var with map[string]string
	if len(labels) > 0 {
		var err error
		if with, err = argTexts(labels, 0); err != nil {
			return failed("resource.List", fmt.Errorf("the labels: %w", err))
		}
	}
	return asking(on).ask(called("List", api, resource, namespace, ""), func(w World) (any, error) {
		found, err := w.List(api, resource, namespace, with)
		return map[string]any{"apiVersion": api, "kind": listKind(found), "items": objects(found)}, err
	})
}

// listKind is the kind of a list, as far as its objects tell: PodList of Pods.
func listKind(found []map[string]any) string {
	if len(found) == 0 {
		return "List"
	}
	kind, _ := found[0]["kind"].(string)
	return kind + "List"
}

func post1(on ref.Val, api, resource, namespace string, object []ref.Val) ref.Val {
	body, err := plainArg(object, 0)
	if err != nil {
		return failed("resource.Post", err)
	}
	return asking(on).ask(called("Post", api, resource, namespace, ""), func(w World) (any, error) {
		answer, err := w.Post(api, resource, namespace, body)
		return orNull(answer), err
	})
}

// called says what was asked, for errors: resource.Get v1 configmaps shop/settings.
func called(function, api, resource, namespace, name string) string {
	text := "resource." + function + " " + api + " " + resource
	if where := strings.Trim(namespace+"/"+name, "/"); where != "" {
		text += " " + where
	}
	return text
}

// gvrValue is what resource.ToGVR gives: something to hand on.
type gvrValue schema.GroupVersionResource

var (
	_ ref.Val = gvrValue{}

	gvrType = types.NewOpaqueType("schema.GroupVersionResource")
)

func (g gvrValue) Type() ref.Type { return gvrType }
func (g gvrValue) Value() any     { return schema.GroupVersionResource(g) }

func (g gvrValue) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(g)) }

func (g gvrValue) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return gvrType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", gvrType, t)
}

func (g gvrValue) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s has no value of type %s", gvrType, t)
}

func argGVR(args []ref.Val, i int) schema.GroupVersionResource {
	g, _ := args[i].(gvrValue)
	return schema.GroupVersionResource(g)
}

// objects is a list of JSON objects, read in place.
type objects []map[string]any

var (
	_ sequence        = objects(nil)
	_ traits.Zeroer   = objects(nil)
	_ traits.Foldable = objects(nil)
)

func (l objects) length() int        { return len(l) }
func (l objects) item(i int) ref.Val { return object(l[i]) }

func (l objects) Type() ref.Type             { return types.ListType }
func (l objects) IsZeroValue() bool          { return len(l) == 0 }
func (l objects) Size() ref.Val              { return types.Int(len(l)) }
func (l objects) Get(i ref.Val) ref.Val      { return get(l, i) }
func (l objects) Contains(v ref.Val) ref.Val { return contains(l, v) }
func (l objects) Equal(v ref.Val) ref.Val    { return equal(l, v) }
func (l objects) Add(v ref.Val) ref.Val      { return join(l, v) }
func (l objects) Iterator() traits.Iterator  { return &iterator{size: len(l), at: l.item} }
func (l objects) Fold(f traits.Folder)       { fold(l, f) }

func (l objects) ConvertToType(t ref.Type) ref.Val            { return convert(l, t) }
func (l objects) ConvertToNative(t reflect.Type) (any, error) { return native(l, t) }

func (l objects) Value() any {
	values := make([]any, len(l))
	for i := range l {
		values[i] = l[i]
	}
	return values
}
