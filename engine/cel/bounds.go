package cel

import (
	"fmt"
	"math"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// The cost of a call is counted when it is over. That is too late for a function whose answer can be far larger than its
// arguments: one call would take all memory (GHSA-r2rj-wwm5-x6mq). These functions are bound again here, with the same
// meaning and a limit that is looked at first.
const (
	// maxText is how many bytes a made text may have: an object of an API server has half as many at most.
	maxText = 4 << 20
	// maxList is how many elements a made list may have: to walk a longer one costs more than an expression may.
	maxList = 1_000_000
)

func boundOptions() []cel.EnvOption {
	text, texts, values := cel.StringType, cel.ListType(cel.StringType), cel.ListType(cel.DynType)
	t := cel.TypeParamType("T")
	return []cel.EnvOption{
		cel.Function("lists.range", cel.Overload("lists_range", []*cel.Type{cel.IntType}, cel.ListType(cel.IntType), cel.UnaryBinding(rangeList))),
		cel.Function("replace",
			cel.MemberOverload("string_replace_string_string", []*cel.Type{text, text, text}, text,
				cel.FunctionBinding(func(args ...ref.Val) ref.Val { return replace(args, types.Int(-1)) })),
			cel.MemberOverload("string_replace_string_string_int", []*cel.Type{text, text, text, cel.IntType}, text,
				cel.FunctionBinding(func(args ...ref.Val) ref.Val { return replace(args, args[3]) }))),
		cel.Function("join",
			cel.MemberOverload("list_join", []*cel.Type{texts}, text,
				cel.UnaryBinding(func(l ref.Val) ref.Val { return joinTexts(l, types.String("")) })),
			cel.MemberOverload("list_join_string", []*cel.Type{texts, text}, text, cel.BinaryBinding(joinTexts))),
		cel.Function("flatten",
			cel.MemberOverload("list_flatten", []*cel.Type{cel.ListType(cel.ListType(t))}, cel.ListType(t),
				cel.UnaryBinding(func(l ref.Val) ref.Val { return flatten(l, types.Int(1)) })),
			cel.MemberOverload("list_flatten_int", []*cel.Type{values, cel.IntType}, values, cel.BinaryBinding(flatten)),
			// a value whose type is not known before is looked at by flatten itself
			decls.DisableTypeGuards(true)),
	}
}

// joinedListsCost makes two lists that are too long together cost more than an expression may. Up to there a list takes
// no room by being added to another.
func joinedListsCost() cel.ProgramOption {
	return cel.CostTrackerOptions(interpreter.OverloadCostTracker("add_list", func(_ []ref.Val, result ref.Val) *uint64 {
		cost := uint64(1)
		if l, ok := result.(traits.Lister); ok {
			if size, ok := l.Size().(types.Int); ok && size > maxList {
				cost = math.MaxInt32
			}
		}
		return &cost
	}))
}

func rangeList(v ref.Val) ref.Val {
	n, ok := v.(types.Int)
	switch {
	case !ok:
		return types.MaybeNoSuchOverloadErr(v)
	case n < 0:
		return types.NewErr("lists.range: size must be non-negative, got %d", n)
	case n > maxList:
		return tooLong(int(n))
	}
	numbers := make([]ref.Val, n)
	for i := range numbers {
		numbers[i] = types.Int(i)
	}
	return types.NewRefValList(jsonAdapter{}, numbers)
}

func tooLong(n int) ref.Val {
	return types.NewErr("a list of %d elements is longer than %d", n, maxList)
}

func tooLarge(bytes int) ref.Val {
	return types.NewErr("a text of %d bytes is longer than %d", bytes, maxText)
}

func replace(args []ref.Val, limit ref.Val) ref.Val {
	s, ok1 := args[0].(types.String)
	from, ok2 := args[1].(types.String)
	to, ok3 := args[2].(types.String)
	n, ok4 := limit.(types.Int)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return types.NoSuchOverloadErr()
	}
	count := strings.Count(string(s), string(from))
	if n >= 0 && int(n) < count {
		count = int(n)
	}
	if size := len(s) + count*(len(to)-len(from)); size > maxText {
		return tooLarge(size)
	}
	return types.String(strings.Replace(string(s), string(from), string(to), count))
}

func joinTexts(v, separator ref.Val) ref.Val {
	l, ok := v.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	between, ok := separator.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(separator)
	}
	var b strings.Builder
	for it, first := l.Iterator(), true; it.HasNext() == types.True; first = false {
		item := it.Next()
		s, ok := item.(types.String)
		if !ok {
			return types.NewErr("join: invalid input: %v", item)
		}
		if !first {
			b.WriteString(string(between))
		}
		b.WriteString(string(s))
		if b.Len() > maxText {
			return tooLarge(b.Len())
		}
	}
	return types.String(b.String())
}

func flatten(v, levels ref.Val) ref.Val {
	l, ok := v.(traits.Lister)
	if !ok {
		return types.ValOrErr(v, "no such overload: %v.flatten()", v.Type())
	}
	depth, ok := levels.(types.Int)
	switch {
	case !ok:
		return types.MaybeNoSuchOverloadErr(levels)
	case depth < 0:
		return types.NewErr("level must be non-negative")
	}
	var flat []ref.Val
	if err := flattenInto(&flat, l, int64(depth)); err != nil {
		return types.WrapErr(err)
	}
	return types.NewRefValList(jsonAdapter{}, flat)
}

func flattenInto(flat *[]ref.Val, l traits.Lister, depth int64) error {
	for it := l.Iterator(); it.HasNext() == types.True; {
		item := it.Next()
		if inner, ok := item.(traits.Lister); ok && depth > 0 {
			if err := flattenInto(flat, inner, depth-1); err != nil {
				return err
			}
			continue
		}
		if len(*flat) == maxList {
			return fmt.Errorf("a flat list has more than %d elements", maxList)
		}
		*flat = append(*flat, item)
	}
	return nil
}
