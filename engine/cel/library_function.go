package cel

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apiserver/pkg/cel/library"
)

// function is one function of a library, in all its spellings.
type function struct {
	names []string
	// on is the type before the dot of a member function; nil for others, whose dots are parts of their names.
	on *types.Type
	// is says what the function does, and shows it: an expression and what it gives.
	is, example, gives string
	forms              []form
}

// form is one list of arguments that a function takes.
type form struct {
	takes []parameter
	gives *types.Type
	// call has the value before the dot, if any, as its first argument.
	call func(args []ref.Val) ref.Val
	// weight is what a byte of the arguments and of the answer costs, in tenths of what it costs to look at one.
	weight int
	// only is for forms that cluster policies have and namespaced ones have not, or the other way round.
	only *reach
}

type parameter struct {
	name string
	is   *types.Type
}

// Types of parameters.
var (
	textType  = types.StringType
	dataType  = types.NewMapType(types.StringType, types.DynType)    // a JSON object
	textsType = types.NewMapType(types.StringType, types.StringType) // labels, headers
)

// has tells whether policies of a reach have the form.
func (f *form) has(r reach) bool { return f.only == nil || *f.only == r }

// options declare the function for the policies of a reach.
func (f *function) options(r reach) []cel.EnvOption {
	var options []cel.EnvOption
	for _, name := range f.names {
		var overloads []cel.FunctionOpt
		for i := range f.forms {
			form := &f.forms[i]
			if !form.has(r) {
				continue
			}
			args := make([]*cel.Type, 0, len(form.takes)+1)
			overload := cel.Overload
			if f.on != nil {
				args, overload = append(args, f.on), cel.MemberOverload
			}
			for _, p := range form.takes {
				args = append(args, p.is)
			}
			id := f.overload(name, i)
			overloads = append(overloads, overload(id, args, form.gives, cel.FunctionBinding(func(args ...ref.Val) ref.Val { return form.call(args) })))
		}
		if overloads != nil {
			options = append(options, cel.Function(name, overloads...))
		}
	}
	return options
}

// overload names a form of a function. An API server's names have no dot.
func (f *function) overload(name string, i int) string {
	on := ""
	if f.on != nil {
		on = f.on.TypeName() + "."
	}
	return fmt.Sprintf("kyverno.%s%s.%d", on, name, i)
}

// prices are what calls of the libraries cost, and all other calls as in an API server.
type prices struct {
	library.CostEstimator
	weights map[string]int // by overload
}

// newPrices knows all forms, those of cluster policies and of namespaced ones.
func newPrices() *prices {
	p := &prices{weights: map[string]int{}}
	for _, l := range libraries() {
		for i := range l.functions {
			f := &l.functions[i]
			for _, name := range f.names {
				for j := range f.forms {
					p.weights[f.overload(name, j)] = max(1, f.forms[j].weight)
				}
			}
		}
	}
	return p
}

// CallCost grows with the arguments and the answer of a call.
func (p *prices) CallCost(function, overload string, args []ref.Val, result ref.Val) *uint64 {
	weight, ok := p.weights[overload]
	if !ok {
		return p.CostEstimator.CallCost(function, overload, args, result)
	}
	bytes := textSize(result)
	for _, arg := range args {
		bytes += textSize(arg)
	}
	cost := 1 + uint64(math.Ceil(float64(bytes)*float64(weight)/10))
	return &cost
}

// textSize is the length of a text, and the number of elements of anything else.
func textSize(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	case traits.Sizer:
		if n, ok := v.Size().(types.Int); ok {
			return int(n)
		}
	}
	return 0
}

// functionNames are all names that a policy may call, sorted: those behind a dot, and those with their dots.
func functionNames() []string {
	names := map[string]bool{}
	for _, l := range libraries() {
		for _, f := range l.functions {
			for _, name := range f.names {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// argText reads an argument that the checker knows to be a text.
func argText(args []ref.Val, i int) string {
	s, _ := args[i].(types.String)
	return string(s)
}

// argTexts reads an argument that is a map of texts.
func argTexts(args []ref.Val, i int) (map[string]string, error) {
	wrong := errors.New("expected a map of texts")
	m, ok := args[i].(traits.Mapper)
	if !ok {
		return nil, wrong
	}
	out := map[string]string{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		k, ok1 := key.(types.String)
		v, ok2 := m.Get(key).(types.String)
		if !ok1 || !ok2 {
			return nil, wrong
		}
		out[string(k)] = string(v)
	}
	return out, nil
}

// pascal gives both spellings of a member function: Get and get.
func pascal(name string) []string {
	camel := strings.ToLower(name[:1]) + name[1:]
	return []string{name, camel}
}
