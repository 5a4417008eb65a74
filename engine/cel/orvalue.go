package cel

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// orValueFunction stands for x.orValue(y). Policies call orValue on plain values too, such as a field that is
// there: older libraries gave the value, the one of today refuses. Kyverno kept the old way, and so do we.
const orValueFunction = "holdfast.orValue"

func orValueOptions() []cel.EnvOption {
	macro := cel.ReceiverMacro("orValue", 1, func(f cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		return f.NewCall(orValueFunction, target, args[0]), nil
	})
	function := cel.Function(orValueFunction, cel.Overload("holdfast_or_value", []*cel.Type{cel.DynType, cel.DynType}, cel.DynType,
		// not strict: an error in the default is none while the default is not wanted
		cel.OverloadIsNonStrict(), cel.BinaryBinding(orValue)))
	return []cel.EnvOption{cel.Macros(macro), function}
}

func orValue(v, fallback ref.Val) ref.Val {
	optional, ok := v.(*types.Optional)
	switch {
	case !ok:
		return v
	case optional.HasValue():
		return optional.GetValue()
	default:
		return fallback
	}
}
