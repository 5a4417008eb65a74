package cel

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

// The names that expressions may use.
const (
	varObject     = "object"
	varOldObject  = "oldObject"
	varRequest    = "request"
	varNamespace  = "namespaceObject"
	varParams     = "params"
	varVariables  = "variables"
	varAuthorizer = "authorizer"
	// varRequestAuthorizer is one name, although it looks like a field.
	varRequestAuthorizer = "authorizer.requestResource"
)

// Compiler compiles expressions. It is safe for concurrent use. Make one for a process and share it: the first expression of
// a language makes its environment, which takes a millisecond, and each further one takes a fraction of that.
type Compiler struct {
	kubernetes, kyverno, namespaced, oldest func() (*cel.Env, error)

	mu   sync.Mutex
	made map[variant]*environmentOf
}

// NewCompiler gives a compiler of the language that the API server of our Kubernetes libraries has, and of Kyverno's.
func NewCompiler() *Compiler {
	return &Compiler{
		kubernetes: sync.OnceValues(newEnvironment),
		kyverno:    sync.OnceValues(func() (*cel.Env, error) { return newKyvernoEnvironment(ofCluster) }),
		namespaced: sync.OnceValues(func() (*cel.Env, error) { return newKyvernoEnvironment(ofNamespace) }),
		oldest:     sync.OnceValues(newOldestEnvironment),
		made:       map[variant]*environmentOf{},
	}
}

// base gives the environment that all Sources of a language share.
func (c *Compiler) base(v variant) (*cel.Env, error) {
	switch {
	case v.language == Kubernetes:
		return c.kubernetes()
	case !v.namespaced:
		return c.kyverno()
	default:
		return c.namespaced()
	}
}

func newEnvironment() (*cel.Env, error) {
	// The set for stored expressions holds all that the libraries know, whatever version the cluster has: a policy is
	// not refused because it is newer than its cluster.
	set := environment.MustBaseEnvSet(version.MajorMinor(1, 0))
	options := append(orValueOptions(), boundOptions()...)
	env, err := set.StoredExpressionsEnv().Extend(append(options,
		cel.Variable(varObject, cel.DynType),
		cel.Variable(varOldObject, cel.DynType),
		cel.Variable(varRequest, cel.ObjectType(typeRequest)),
		cel.Variable(varNamespace, cel.ObjectType(typeNamespace)),
		cel.Variable(varAuthorizer, library.AuthorizerType),
		cel.Variable(varRequestAuthorizer, library.ResourceCheckType),
		cel.CustomTypeAdapter(jsonAdapter{}),
	)...)
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment: %w", err)
	}
	return bounded(env)
}

// variant is what Sources have in common that share an environment.
type variant struct {
	language                    Language
	namespaced, params, mutates bool
}

// environmentOf is the environment of all Sources of a variant. An environment holds a hundred kilobytes, which each program
// that is planned in it keeps alive.
type environmentOf struct {
	// mu is held while a Source is compiled: the checker then knows the types of its variables.
	mu      sync.Mutex
	env     *cel.Env
	structs *provider
}

// declare gives the environment of a Source.
func (c *Compiler) declare(src *Source) (*environmentOf, error) {
	v := variant{language: src.Language, namespaced: src.Language == Kyverno && src.Namespace != "", params: src.Params == WithParams, mutates: len(src.Mutations) > 0}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.made[v]; known != nil {
		return known, nil
	}
	base, err := c.base(v)
	if err != nil {
		return nil, err
	}
	structs := &provider{Provider: base.CELTypeProvider(), language: v.language}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(structs),
		cel.Variable(varVariables, cel.ObjectType(typeVariables)),
	}
	if v.params {
		options = append(options, cel.Variable(varParams, cel.DynType))
	}
	if v.mutates {
		structs.Provider = mutationTypes{structs.Provider}
		options = append(options, library.JSONPatch())
	}
	env, err := base.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("declaring the variables: %w", err)
	}
	made := &environmentOf{env: env, structs: structs}
	c.made[v] = made
	return made, nil
}

// Names of the types with declared fields. A request's and a namespace's are checked, so that a slip of the pen in a
// field's name is found when the policy is loaded.
const (
	typeRequest   = "kubernetes.AdmissionRequest"
	typeGVK       = "kubernetes.GroupVersionKind"
	typeGVR       = "kubernetes.GroupVersionResource"
	typeUserInfo  = "kubernetes.UserInfo"
	typeNamespace = "kubernetes.Namespace"
	typeMetadata  = "kubernetes.NamespaceMetadata"
	typeSpec      = "kubernetes.NamespaceSpec"
	typeStatus    = "kubernetes.NamespaceStatus"
	typeCondition = "kubernetes.NamespaceCondition"
	typeVariables = "kubernetes.variables"
	// of Kyverno's language
	typeExceptions = "kyverno.Exceptions"
	typeAccount    = "user.ServiceAccount"
)

// declaredFields are the fields that an API server shows to admission expressions. The test compares them with the
// server's own.
func declaredFields(typeName string) map[string]*types.Type {
	text, texts := types.StringType, types.NewListType(types.StringType)
	labels := types.NewMapType(types.StringType, types.StringType)
	switch typeName {
	case typeRequest:
		kind, resource := types.NewObjectType(typeGVK), types.NewObjectType(typeGVR)
		return map[string]*types.Type{
			"kind": kind, "resource": resource, "subResource": text,
			"requestKind": kind, "requestResource": resource, "requestSubResource": text,
			"name": text, "namespace": text, "operation": text,
			"userInfo": types.NewObjectType(typeUserInfo), "dryRun": types.BoolType, "options": types.DynType,
		}
	case typeGVK:
		return map[string]*types.Type{"group": text, "version": text, "kind": text}
	case typeGVR:
		return map[string]*types.Type{"group": text, "version": text, "resource": text}
	case typeUserInfo:
		return map[string]*types.Type{"username": text, "uid": text, "groups": texts, "extra": types.NewMapType(types.StringType, texts)}
	case typeNamespace:
		return map[string]*types.Type{
			"metadata": types.NewObjectType(typeMetadata), "spec": types.NewObjectType(typeSpec), "status": types.NewObjectType(typeStatus),
		}
	case typeMetadata:
		return map[string]*types.Type{
			"name": text, "generateName": text, "namespace": text, "labels": labels, "annotations": labels, "UID": text,
			"creationTimestamp": types.TimestampType, "deletionGracePeriodSeconds": types.IntType, "deletionTimestamp": types.TimestampType,
			"generation": types.IntType, "resourceVersion": text, "finalizers": texts,
		}
	case typeSpec:
		return map[string]*types.Type{"finalizers": texts}
	case typeStatus:
		return map[string]*types.Type{"conditions": types.NewListType(types.NewObjectType(typeCondition)), "phase": text}
	case typeExceptions:
		return map[string]*types.Type{"allowedImages": texts, "allowedValues": texts}
	case typeAccount:
		return map[string]*types.Type{"Name": text, "Namespace": text}
	case typeCondition:
		return map[string]*types.Type{"status": text, "type": text, "lastTransitionTime": types.TimestampType, "message": text, "reason": text}
	default:
		return nil
	}
}

// provider knows the fields of the declared types, and of the variables of the Source that is being compiled.
type provider struct {
	types.Provider
	language  Language
	variables map[string]*types.Type
}

func (p *provider) fields(typeName string) map[string]*types.Type {
	if typeName == typeVariables {
		return p.variables
	}
	fields := declaredFields(typeName)
	if typeName == typeRequest && p.language == Kyverno {
		fields[varObject], fields[varOldObject] = types.DynType, types.DynType
	}
	return fields
}

func (p *provider) FindStructType(typeName string) (*types.Type, bool) {
	if p.fields(typeName) != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(typeName)), true
	}
	return p.Provider.FindStructType(typeName)
}

func (p *provider) FindStructFieldNames(typeName string) ([]string, bool) {
	if fields := p.fields(typeName); fields != nil {
		return slices.Sorted(maps.Keys(fields)), true
	}
	return p.Provider.FindStructFieldNames(typeName)
}

func (p *provider) FindStructFieldType(typeName, field string) (*types.FieldType, bool) {
	fields := p.fields(typeName)
	if fields == nil {
		return p.Provider.FindStructFieldType(typeName, field)
	}
	t, found := fields[field]
	if !found {
		return nil, false
	}
	return &types.FieldType{Type: t}, true
}

// NewValue refuses to make values of the declared types: they come from outside. A service account is made to be compared
// with another.
func (p *provider) NewValue(typeName string, fields map[string]ref.Val) ref.Val {
	if typeName == typeAccount && p.language == Kyverno {
		account := map[string]any{"Name": "", "Namespace": ""}
		for name, v := range fields {
			account[name] = v
		}
		return object(account)
	}
	if p.fields(typeName) != nil {
		return types.NewErr("a %s cannot be made by an expression", typeName)
	}
	return p.Provider.NewValue(typeName, fields)
}
