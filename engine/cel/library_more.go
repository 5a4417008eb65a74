package cel

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

// Names of functions that ask the World and have nothing before their dot: a macro hands them the evaluation.
const (
	nowFunction          = "time.now"
	randomFunction       = "random"
	randomRandomFunction = "random.random"
)

func worldMacros() cel.EnvOption {
	of := func(library, name string) cel.Macro {
		return cel.ReceiverVarArgMacro(name, func(f cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			if target.Kind() != ast.IdentKind || target.AsIdent() != library {
				return nil, nil // somebody else's function of that name
			}
			return f.NewCall(library+"."+name, append([]ast.Expr{f.NewIdent(varWorld)}, args...)...), nil
		})
	}
	random := cel.GlobalVarArgMacro(randomFunction, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		return f.NewCall(randomFunction, append([]ast.Expr{f.NewIdent(varWorld)}, args...)...), nil
	})
	return cel.Macros(of("time", "now"), of("random", "random"), random)
}

func timeFunctions() []function {
	return []function{
		{
			names:   []string{nowFunction},
			is:      "Gives the time of the evaluation.",
			example: `time.now() > timestamp('2024-01-01T00:00:00Z')`, gives: `true`,
			forms: []form{{takes: []parameter{{"", worldType}}, gives: types.TimestampType, call: func(args []ref.Val) ref.Val {
				return asking(args[0]).tell("time.now", func(w World) (any, error) { return types.Timestamp{Time: w.Now().UTC()}, nil })
			}}},
		},
		{
			names:   []string{"time.truncate"},
			is:      "Rounds a time down to a multiple of a duration.",
			example: `time.truncate(timestamp('2025-03-04T05:06:07Z'), duration('1h'))`, gives: `timestamp('2025-03-04T05:00:00Z')`,
			forms: []form{{takes: []parameter{{"time", types.TimestampType}, {"to", types.DurationType}}, gives: types.TimestampType, call: func(args []ref.Val) ref.Val {
				at, _ := args[0].(types.Timestamp)
				to, _ := args[1].(types.Duration)
				return types.Timestamp{Time: at.Truncate(to.Duration)}
			}}},
		},
		{
			names:   []string{"time.toCron"},
			is:      "Writes a time as a cron schedule: minute, hour, day, month and weekday.",
			example: `time.toCron(timestamp('2025-03-04T05:06:07Z'))`, gives: `'6 5 4 3 2'`,
			forms: []form{{takes: []parameter{{"time", types.TimestampType}}, gives: textType, call: func(args []ref.Val) ref.Val {
				at, _ := args[0].(types.Timestamp)
				return types.String(fmt.Sprintf("%d %d %d %d %d", at.Minute(), at.Hour(), at.Day(), at.Month(), at.Weekday()))
			}}},
		},
	}
}

func randomFunctions() []function {
	const usual = "[0-9a-z]{8}"
	return []function{{
		names: []string{randomFunction, randomRandomFunction},
		is: "Makes a text that a POSIX regular expression matches (no \\d and the like), or eight lower-case letters and digits. " +
			"* and + repeat up to 4096 times.",
		example: `random('[a-z]{3}-[0-9]{2}').matches('^[a-z]{3}-[0-9]{2}$')`, gives: `true`,
		forms: []form{
			{takes: []parameter{{"", worldType}}, gives: textType, weight: 2, call: func(args []ref.Val) ref.Val { return randomText(args[0], usual) }},
			{takes: []parameter{{"", worldType}, {"pattern", textType}}, gives: textType, weight: 2, call: func(args []ref.Val) ref.Val {
				return randomText(args[0], argText(args, 1))
			}},
		},
	}}
}

func randomText(on ref.Val, pattern string) ref.Val {
	if pattern == "" {
		return types.String("")
	}
	var wrong error // with the pattern, and so the expression's
	answer := asking(on).tell("random", func(w World) (any, error) {
		source := &source{world: w}
		text, err := jmesfn.RandomText(pattern, source)
		if source.err != nil {
			return nil, source.err
		}
		wrong = err
		return text, nil
	})
	if wrong != nil {
		return failed("random", wrong)
	}
	return answer
}

// source reads random bytes of the World, and keeps its error.
type source struct {
	world World
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.world.Random(p)
	s.err = err
	return n, err
}

func mathFunctions() []function {
	return []function{{
		names:   []string{"math.round"},
		is:      "Rounds a number to as many digits behind the point; a negative number of digits is before the point.",
		example: `math.round(3.14159, 2)`, gives: `3.14`,
		forms: []form{{takes: []parameter{{"number", types.DoubleType}, {"digits", types.IntType}}, gives: types.DoubleType, call: func(args []ref.Val) ref.Val {
			v, _ := args[0].(types.Double)
			digits, _ := args[1].(types.Int)
			shift := math.Pow(10, float64(digits))
			rounded := math.Round(float64(v)*shift) / shift
			switch {
			case !math.IsNaN(rounded) && !math.IsInf(rounded, 0):
				return types.Double(rounded)
			case digits > 0:
				return v // has no digits there
			default:
				return types.Double(0)
			}
		}}},
	}}
}

func transformFunctions() []function {
	objects := types.NewListType(types.DynType)
	return []function{{
		names:   []string{"listObjToMap", "transform.listObjToMap"},
		is:      "Makes a map of two lists of the same length: the keys are a field of the objects of the first, the values a field of those of the second.",
		example: `transform.listObjToMap([{'id': 'a'}, {'id': 'b'}], [{'n': 1}, {'n': 2}], 'id', 'n')`, gives: `{'a': 1, 'b': 2}`,
		forms: []form{{
			takes: []parameter{{"keys", objects}, {"values", objects}, {"key", textType}, {"value", textType}},
			gives: types.NewMapType(types.StringType, types.DynType), weight: 10,
			call: func(args []ref.Val) ref.Val {
				out, err := listsToMap(args)
				if err != nil {
					return failed("transform.listObjToMap", err)
				}
				return out
			},
		}},
	}}
}

func listsToMap(args []ref.Val) (ref.Val, error) {
	keys, ok1 := args[0].(traits.Lister)
	values, ok2 := args[1].(traits.Lister)
	if !ok1 || !ok2 {
		return nil, errors.New("expected two lists")
	}
	size, _ := keys.Size().(types.Int)
	switch {
	case keys.Size() != values.Size():
		return nil, fmt.Errorf("the lists have %v and %v elements: expected as many", keys.Size(), values.Size())
	case size > maxList:
		return nil, fmt.Errorf("a list of %d elements is longer than %d", size, maxList)
	}
	out := make(map[string]any, size)
	for k, v, i := keys.Iterator(), values.Iterator(), 0; k.HasNext() == types.True && v.HasNext() == types.True; i++ {
		key, ok1 := k.Next().(traits.Mapper)
		value, ok2 := v.Next().(traits.Mapper)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("element %d is no object", i)
		}
		found, _ := key.Find(args[2])
		name, ok := found.(types.String)
		if !ok {
			return nil, fmt.Errorf("%s of element %d is no string", argText(args, 2), i)
		}
		item, ok := value.Find(args[3])
		if !ok {
			item = types.NullValue
		}
		out[string(name)] = item
	}
	return object(out), nil
}

func x509Functions() []function {
	return []function{{
		names:   []string{"x509.decode"},
		is:      "Decodes the first block of a PEM text, a certificate or a certificate request with an RSA key, into a map with the fields of Go's x509.Certificate or x509.CertificateRequest.",
		example: `x509.decode(object.spec.ca).Subject.CommonName`, gives: `'svc.example.com'`,
		forms: []form{{takes: []parameter{{"pem", textType}}, gives: types.DynType, weight: 5, call: func(args []ref.Val) ref.Val {
			found, err := jmesfn.DecodeCertificate(argText(args, 0))
			if err != nil {
				return failed("x509.decode", err)
			}
			return value(doubles(found))
		}}},
	}}
}

func userFunctions() []function {
	return []function{{
		names:   []string{"parseServiceAccount", "user.parseServiceAccount"},
		is:      "Reads Namespace and Name of a service account from its user name; both are empty for any other user.",
		example: `user.parseServiceAccount('system:serviceaccount:shop:web').Name`, gives: `'web'`,
		forms: []form{{takes: []parameter{{"username", textType}}, gives: types.NewObjectType(typeAccount), call: func(args []ref.Val) ref.Val {
			account := map[string]any{"Name": "", "Namespace": ""}
			if rest, ok := strings.CutPrefix(argText(args, 0), "system:serviceaccount:"); ok {
				if namespace, name, ok := strings.Cut(rest, ":"); ok {
					account["Namespace"], account["Name"] = namespace, name
				}
			}
			return object(account)
		}}},
	}}
}
