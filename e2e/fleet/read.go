package fleet

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// maxObject bounds one object of a file: etcd takes 1.5 MiB of one, and YAML is somewhat longer.
const maxObject = 4 << 20

// Read gives the objects of a file, in its order: of a .jsonl file one a line, else documents of YAML or JSON. A line may
// hold the object as "obj" and what is wrong with it as "violates". The sequence ends behind the first error.
func Read(path string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Object{}, fmt.Errorf("read objects: %w", err))
			return
		}
		defer func() { _ = f.Close() }() // it is only read
		next := documents(f)
		if filepath.Ext(path) == ".jsonl" {
			next = lines(f)
		}
		for n := 1; ; n++ {
			o, err := next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Object{}, fmt.Errorf("read object %d of %s: %w", n, path, err))
				return
			}
			if len(o.Content) > 0 && !yield(o, nil) {
				return
			}
		}
	}
}

func documents(r io.Reader) func() (Object, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(r))
	return func() (Object, error) {
		text, err := reader.Read()
		if err != nil {
			return Object{}, err
		}
		var o Object
		return o, sigsyaml.Unmarshal(text, &o.Content)
	}
}

func lines(r io.Reader) func() (Object, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxObject)
	return func() (Object, error) {
		if !scanner.Scan() {
			if err := scanner.Err(); err != nil {
				return Object{}, err
			}
			return Object{}, io.EOF
		}
		var wrapped struct {
			Obj      map[string]any
			Violates []string
		}
		if err := json.Unmarshal(scanner.Bytes(), &wrapped); err != nil {
			return Object{}, err
		}
		if wrapped.Obj != nil {
			return Object{wrapped.Obj, wrapped.Violates}, nil
		}
		var o Object
		return o, json.Unmarshal(scanner.Bytes(), &o.Content)
	}
}
