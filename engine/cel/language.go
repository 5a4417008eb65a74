package cel

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"github.com/google/cel-go/interpreter"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/library"
)

// Language is what a Source is written in.
type Language uint8

// The languages. Kyverno's is the one of policies.kyverno.io: the functions of an API server, those of Kyverno's libraries
// and the variable exceptions; it has no authorizer, and lists and maps may hold values of several types.
const (
	Kubernetes Language = iota
	Kyverno
)

// reach says whose policy an environment of Kyverno's language is for.
type reach uint8

const (
	ofCluster reach = iota
	ofNamespace
)

// newKyvernoEnvironment begins anew and not with the environment of an API server: what that forbids in literals cannot be
// allowed again.
func newKyvernoEnvironment(r reach) (*cel.Env, error) {
	env, err := cel.NewEnv(
		cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true), cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
		// versions as an API server has them, and Kyverno
		ext.Bindings(), ext.Encoders(), ext.Lists(ext.ListsVersion(3)), ext.Math(), ext.Protos(), ext.Regex(ext.RegexVersion(1)),
		ext.Sets(), ext.Strings(ext.StringsVersion(2)), ext.TwoVarComprehensions(),
		library.CIDR(), library.Format(), library.IP(), library.JSONPatch(), library.Lists(), library.Quantity(), library.Regex(),
		library.SemverLib(library.SemverVersion(1)), library.URLs(),
		cel.Lib(limits{newPrices()}),
	)
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment of Kyverno: %w", err)
	}
	options := append(orValueOptions(), boundOptions()...)
	options = append(options,
		cel.Variable(varObject, cel.DynType),
		cel.Variable(varOldObject, cel.DynType),
		cel.Variable(varRequest, cel.ObjectType(typeRequest)),
		cel.Variable(varNamespace, cel.ObjectType(typeNamespace)),
		cel.Variable(varExceptions, cel.ObjectType(typeExceptions)),
		cel.CustomTypeAdapter(jsonAdapter{}),
	)
	env, err = env.Extend(append(options, libraryOptions(r)...)...)
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment of Kyverno: %w", err)
	}
	return bounded(env)
}

// limits are the limits on the cost of an expression, which the environment of an API server has by itself.
type limits struct{ prices *prices }

func (limits) CompileOptions() []cel.EnvOption { return nil }

func (l limits) ProgramOptions() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost),
		cel.CostLimit(celconfig.PerCallLimit),
		cel.CostTrackerOptions(interpreter.PresenceTestHasCost(false)),
		cel.CostTracking(l.prices),
	}
}
