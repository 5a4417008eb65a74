package clitest

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/manifest"
)

// decoded is a document and what it says.
type decoded[T any] struct {
	value    T
	document *manifest.Document
}

// decode reads every document of a file into a T, strictly: a field that T does not have is an error, and so
// is a value of another type than the field's. Errors come with their places, all at once, as *bundle.Error.
func decode[T any](file string, data []byte) ([]decoded[T], error) {
	documents, errs := manifest.Parse(file, data)
	wrong := &bundle.Error{}
	for _, e := range errs {
		wrong.Problems = append(wrong.Problems, problem(e.Position, "", e.Message))
	}
	var out []decoded[T]
	for _, d := range documents {
		found := bundle.CheckShape(d.Object, reflect.TypeFor[T]())
		for _, p := range found {
			wrong.Problems = append(wrong.Problems, problem(d.Position(p.Path), p.PathString(), p.Message))
		}
		if len(found) > 0 {
			continue
		}
		var value T
		raw, err := json.Marshal(d.Object)
		if err == nil {
			err = json.Unmarshal(raw, &value)
		}
		if err != nil {
			wrong.Problems = append(wrong.Problems, problem(d.Start(), "", "cannot be read: "+err.Error()))
			continue
		}
		out = append(out, decoded[T]{value, d})
	}
	if len(wrong.Problems) > 0 {
		return nil, wrong
	}
	return out, nil
}

// decodeOne reads a file of one document.
func decodeOne[T any](file string, data []byte) (*T, error) {
	list, err := decode[T](file, data)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%s holds %d documents: expected one", file, len(list))
	}
	return &list[0].value, nil
}

func problem(at manifest.Position, path, message string) bundle.Problem {
	return bundle.Problem{File: at.File, Line: at.Line, Column: at.Column, Path: path, Message: message}
}
