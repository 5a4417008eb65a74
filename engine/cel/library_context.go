package cel

import (
	"fmt"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

func httpFunctions() []function {
	url, headers, body := parameter{"url", textType}, parameter{"headers", textsType}, parameter{"body", types.DynType}
	return []function{
		{
			names: pascal("Get"), on: httpType,
			is: "Makes a GET call to a service that the operator has allowed. An answer that is a JSON object has statusCode among its fields; " +
				"any other is body, beside statusCode.",
			example: `http.Get('https://rules.example.com/limits').statusCode`, gives: `200`,
			forms: []form{
				{takes: []parameter{url}, gives: types.DynType, call: func(args []ref.Val) ref.Val { return call1("GET", args, nil, nil) }},
				{takes: []parameter{url, headers}, gives: types.DynType, call: func(args []ref.Val) ref.Val { return call1("GET", args, nil, args[2]) }},
			},
		},
		{
			names: pascal("Post"), on: httpType,
			is:      "Makes a POST call with a JSON value to a service that the operator has allowed.",
			example: `http.Post('https://rules.example.com/limits', {'team': 'web'}, {'X-Team': 'web'}).allowed`, gives: `true`,
			forms: []form{
				{takes: []parameter{url, body}, gives: types.DynType, call: func(args []ref.Val) ref.Val { return call1("POST", args, args[2], nil) }},
				{takes: []parameter{url, body, headers}, gives: types.DynType, call: func(args []ref.Val) ref.Val { return call1("POST", args, args[2], args[3]) }},
			},
		},
		{
			names: pascal("Client"), on: httpType,
			is:      "Gives an http whose calls trust the certificates of a PEM text.",
			example: `http.Client(object.spec.ca).Get('https://rules.example.com/limits').statusCode`, gives: `200`,
			forms: []form{{takes: []parameter{{"caBundle", textType}}, gives: httpType, call: func(args []ref.Val) ref.Val {
				return &handle{e: asking(args[0]), is: httpType, caBundle: argText(args, 1)}
			}}},
		},
	}
}

func call1(method string, args []ref.Val, body, headers ref.Val) ref.Val {
	on, _ := args[0].(*handle)
	call := HTTPCall{Method: method, URL: argText(args, 1), CABundle: on.caBundle}
	var err error
	if body != nil {
		budget := maxText
		if call.Body, err = plain(body, &budget); err != nil {
			return failed("http.Post", fmt.Errorf("the body: %w", err))
		}
	}
	if headers != nil {
		if call.Headers, err = argTexts(args, len(args)-1); err != nil {
			return failed("http", fmt.Errorf("the headers: %w", err))
		}
	}
	return on.e.ask(method+" "+call.URL, func(w World) (any, error) {
		answer, err := w.HTTP(call)
		if err != nil {
			return nil, err
		}
		return decoded(answer), nil
	})
}

// decoded is the answer to a call, with numbers as they are to Kyverno: doubles, and the status an int.
func decoded(answer any) any {
	out := doubles(copied(answer))
	if object, ok := out.(map[string]any); ok {
		if status, ok := object["statusCode"].(types.Double); ok {
			object["statusCode"] = number(float64(status))
		}
	}
	return out
}

func globalContextFunctions() []function {
	name := parameter{"name", textType}
	call := func(args []ref.Val, projection string) ref.Val {
		entry := argText(args, 1)
		return asking(args[0]).ask("globalContext.Get "+entry, func(w World) (any, error) { return w.GlobalContext(entry, projection) })
	}
	return []function{{
		names: pascal("Get"), on: globalContextType,
		is:      "Gives the value of a GlobalContextEntry, or of one of its projections; null if there is no such entry.",
		example: `globalContext.Get('limits', 'cpu')`, gives: `4`,
		forms: []form{
			{takes: []parameter{name}, gives: types.DynType, call: func(args []ref.Val) ref.Val { return call(args, "") }},
			{takes: []parameter{name, {"projection", textType}}, gives: types.DynType, call: func(args []ref.Val) ref.Val { return call(args, argText(args, 2)) }},
		},
	}}
}

func imageDataFunctions() []function {
	return []function{{
		names: pascal("GetMetadata"), on: imageDataType,
		is:      "Asks a registry about an image: image, resolvedImage, registry, repository, tag, digest, manifest, config and the like.",
		example: `image.GetMetadata('registry.example.com/web:1').config.config.User`, gives: `'65532'`,
		forms: []form{{takes: []parameter{{"image", textType}}, gives: types.DynType, call: func(args []ref.Val) ref.Val {
			reference := argText(args, 1)
			return asking(args[0]).ask("image.GetMetadata "+reference, func(w World) (any, error) {
				data, err := w.Image(reference)
				return orNull(data), err
			})
		}}},
	}}
}

// What the expressions of a rule may generate in one evaluation: a rule that makes more objects of one makes a mess, and
// what they hold is kept until they are written.
const (
	maxGenerated     = 5000
	maxGeneratedText = 4 * maxText
)

func generatorFunctions() []function {
	cluster, namespaced := ofCluster, ofNamespace
	list := parameter{"objects", types.NewListType(types.DynType)} // a null among them is told of where it is found
	return []function{{
		names: pascal("Apply"), on: generatorType,
		is:      "Notes objects to be generated, in a namespace or, with an empty one, in none. A namespaced policy generates in its own.",
		example: `generator.Apply('shop', [{'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'settings'}}])`, gives: `true`,
		forms: []form{
			{takes: []parameter{{"namespace", textType}, list}, only: &cluster, gives: types.BoolType, call: func(args []ref.Val) ref.Val {
				return generate(args[0], argText(args, 1), args[2])
			}},
			{takes: []parameter{list}, only: &namespaced, gives: types.BoolType, call: func(args []ref.Val) ref.Val { return generate(args[0], own(args[0]), args[1]) }},
		},
	}}
}

func generate(on ref.Val, namespace string, v ref.Val) ref.Val {
	l, ok := v.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	e := asking(on)
	size, _ := l.Size().(types.Int)
	if e.generated += int(min(size, maxGenerated+1)); e.generated > maxGenerated {
		return failed("generator.Apply", fmt.Errorf("the expressions of the rule generate more than %d objects", maxGenerated))
	}
	budget := maxGeneratedText - e.generatedText
	before := budget
	var wanted []map[string]any
	for it, i := l.Iterator(), 0; it.HasNext() == types.True; i++ {
		v, err := plain(it.Next(), &budget)
		if err != nil {
			return failed("generator.Apply", fmt.Errorf("object %d: %w", i, err))
		}
		object, ok := v.(map[string]any)
		switch {
		case v == nil:
			return failed("generator.Apply", fmt.Errorf("element %d is null: there is no such object", i))
		case !ok:
			return failed("generator.Apply", fmt.Errorf("element %d is no object", i))
		}
		wanted = append(wanted, object)
	}
	e.generatedText += before - budget
	return e.tell("generator.Apply", func(w World) (any, error) { return true, w.Generate(namespace, wanted) })
}
