package cel

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// bounded looks at the arguments of functions that the environment already has, before their own code does: they have too
// much of it to be written again.
func bounded(env *cel.Env) (*cel.Env, error) {
	var options []cel.EnvOption
	for name, look := range map[string]func(args []ref.Val) error{"format": formatSize, "regex.replace": regexReplaceSize} {
		f, ok := env.Functions()[name]
		if !ok {
			continue
		}
		bindings, err := f.Bindings()
		if err != nil {
			return nil, fmt.Errorf("bounding %s: %w", name, err)
		}
		var overloads []cel.FunctionOpt
		for _, declared := range f.OverloadDecls() {
			var call func(args ...ref.Val) ref.Val
			for _, b := range bindings {
				if b.Operator != declared.ID() {
					continue
				}
				switch {
				case b.Binary != nil:
					call = func(args ...ref.Val) ref.Val { return b.Binary(args[0], args[1]) }
				case b.Function != nil:
					call = b.Function
				}
			}
			if call == nil {
				return nil, fmt.Errorf("bounding %s: its form %s cannot be called", name, declared.ID())
			}
			overload := cel.Overload
			if declared.IsMemberFunction() {
				overload = cel.MemberOverload
			}
			overloads = append(overloads, overload(declared.ID(), declared.ArgTypes(), declared.ResultType(), cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				if err := look(args); err != nil {
					return failed(name, err)
				}
				return call(args...)
			})))
		}
		options = append(options, cel.Function(name, overloads...))
	}
	env, err := env.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("bounding functions: %w", err)
	}
	return env, nil
}

// formatSize refuses texts that format would make too long: of values that stand in it many times, or of digits.
func formatSize(args []ref.Val) error {
	budget := maxText
	if err := spend(&budget, args[0]); err != nil {
		return err
	}
	text, _ := args[0].(types.String)
	for _, clause := range strings.Split(string(text), "%.")[1:] {
		digits := clause[:len(clause)-len(strings.TrimLeft(clause, "0123456789"))]
		if n, err := strconv.Atoi(digits); err == nil {
			budget -= n
		}
		if budget < 0 {
			return errLongResult
		}
	}
	return spend(&budget, args[1])
}

var errLongResult = errors.New("the result can be longer than " + strconv.Itoa(maxText) + " bytes")

// spend takes the size of a value as it is printed, roughly, and stops where nothing is left.
func spend(budget *int, v ref.Val) error {
	if *budget--; *budget < 0 {
		return errLongResult
	}
	switch v := v.(type) {
	case types.String:
		*budget -= len(v)
	case types.Bytes:
		*budget -= len(v)
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			if err := errors.Join(spend(budget, key), spend(budget, v.Get(key))); err != nil {
				return errLongResult
			}
		}
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if err := spend(budget, it.Next()); err != nil {
				return err
			}
		}
	}
	if *budget < 0 {
		return errLongResult
	}
	return nil
}

// regexReplaceSize refuses what regex.replace would make too long: many matches of a long replacement, or one that names
// its groups many times.
func regexReplaceSize(args []ref.Val) error {
	target, _ := args[0].(types.String)
	pattern, _ := args[1].(types.String)
	replacement, _ := args[2].(types.String)
	re, err := regexp.Compile(string(pattern))
	if err != nil {
		return nil //nolint:nilerr // regex.replace says so itself
	}
	// a group is no longer than its match, and all matches together are no longer than the text
	groups := strings.Count(string(replacement), `\`)
	size := len(target) * (1 + groups)
	if size <= maxText {
		size += len(re.FindAllStringIndex(string(target), -1)) * len(replacement)
	}
	if size > maxText {
		return errLongResult
	}
	return nil
}
