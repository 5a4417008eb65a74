package cel

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Portable reports whether API servers can evaluate the expressions as match conditions of a webhook, and mean the same by
// them. That takes the functions of the oldest API server that knows such conditions, and no more than the object, the old
// one and the request: a webhook's conditions are told of no namespace, and what an authorizer says may have changed by the
// time that we ask it too.
func (c *Compiler) Portable(expressions ...string) bool {
	env, err := c.oldest()
	if err != nil {
		return false
	}
	for _, e := range expressions {
		ast, issues := env.Compile(e)
		// An API server takes no expression that may turn out to be something else than a boolean.
		if issues.Err() != nil || !ast.OutputType().IsExactType(cel.BoolType) {
			return false
		}
	}
	return true
}

// newOldestEnvironment is that of the conditions of webhooks in Kubernetes 1.28, the first that has them by default.
func newOldestEnvironment() (*cel.Env, error) {
	env := environment.MustBaseEnvSet(version.MajorMinor(1, 28)).NewExpressionsEnv()
	env, err := env.Extend(
		cel.CustomTypeProvider(&provider{Provider: env.CELTypeProvider(), language: Kubernetes}),
		cel.Variable(varObject, cel.DynType),
		cel.Variable(varOldObject, cel.DynType),
		cel.Variable(varRequest, cel.ObjectType(typeRequest)),
	)
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment of match conditions: %w", err)
	}
	return env, nil
}
