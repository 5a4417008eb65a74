// Package config fills in what a command line leaves open, from the environment and a configuration file.
//
// A command's flags flow in, as parsed; their effective values go back into the flags, and where each came
// from flows out. A flag on the command line wins over the environment, that over the file, and that over
// the flag's default. Nothing is guessed: a key of the file that no command knows is an error.
package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cast"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine/nearest"
)

// Prefix begins the name of every environment variable: HOLDFAST_LOG_LEVEL is --log-level.
//
// In a cluster, Kubernetes sets variables like HOLDFAST_PORT and HOLDFAST_SERVICE_HOST for a Service of that
// name, so no flag may be called port, or begin with port- or service-.
const Prefix = "HOLDFAST"

// Flag is the name of the flag for the configuration file. It is not a key of that file itself.
const Flag = "config"

// notKeys are flags that ask for something once: they cannot be configured.
var notKeys = [...]string{Flag, "help", "print-config"}

// Kind is where a value comes from.
type Kind string

// The kinds of sources, the strongest first.
const (
	FromFlag        Kind = "flag"
	FromEnvironment Kind = "environment"
	FromFile        Kind = "file"
	FromDefault     Kind = "default"
)

// Value is the effective value of one key.
type Value struct {
	// Key is the name of the flag, and of the key in the file.
	Key string
	// Value is a string, a bool, a number or a list of strings.
	Value any
	From  Kind
	// Name is the environment variable or the file that the value comes from.
	Name string
}

// Options say where values come from.
type Options struct {
	// File is the configuration file, YAML or JSON; empty for none.
	File string
	// Known are the keys of all commands: one file serves them all.
	Known []string
	// LookupEnv reads the environment, as os.LookupEnv does.
	LookupEnv func(string) (string, bool)
}

// Env is the environment variable of a key.
func Env(key string) string {
	return Prefix + "_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(key))
}

// once marks flags that are no keys.
const once = "holdfast-once"

// Once makes flags of a command no keys: what they ask for is about one call, and another command's flag of that name may
// be about something else.
func Once(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		// The error says that there is no such flag, which its own test shows.
		_ = flags.SetAnnotation(name, once, []string{"true"})
	}
}

// IsOnce reports whether a flag is no key, because it asks for something once.
func IsOnce(f *pflag.Flag) bool { return f.Annotations[once] != nil }

// Keys are the names of the flags that are keys, sorted.
func Keys(flags *pflag.FlagSet) []string {
	var keys []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notKeys[:], f.Name) && !IsOnce(f) {
			keys = append(keys, f.Name)
		}
	})
	slices.Sort(keys)
	return keys
}

// Apply sets the flags that the command line left open and says where every value comes from, in the order
// of the keys.
func Apply(ctx context.Context, flags *pflag.FlagSet, opts Options) ([]Value, error) {
	v := viper.New()
	var file *manifest.Document
	if opts.File != "" {
		var err error
		if file, err = read(ctx, opts.File, opts.Known); err != nil {
			return nil, err
		}
		if err := v.MergeConfigMap(file.Object); err != nil {
			return nil, fmt.Errorf("reading the configuration file %s: %w", opts.File, err)
		}
	}
	var values []Value
	var problems []error
	var inFile []*manifest.Error
	for _, key := range Keys(flags) {
		f := flags.Lookup(key)
		if err := v.BindPFlag(key, f); err != nil {
			return nil, fmt.Errorf("binding the flag %s: %w", key, err)
		}
		value := Value{Key: key, From: FromDefault}
		env, inEnv := opts.LookupEnv(Env(key))
		var err error
		switch {
		case f.Changed:
			value.From = FromFlag
		case inEnv && env != "":
			v.Set(key, env)
			value.From, value.Name = FromEnvironment, Env(key)
			err = set(f, v.Get(key))
			if err != nil {
				err = fmt.Errorf("environment variable %s: %w", value.Name, err)
			}
		case v.InConfig(key):
			value.From, value.Name = FromFile, opts.File
			err = set(f, v.Get(key))
			if err != nil {
				inFile = append(inFile, &manifest.Error{Position: file.Position([]any{key}), Message: key + ": " + err.Error()})
				continue
			}
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		value.Value = valueOf(f)
		values = append(values, value)
	}
	return values, errors.Join(errors.Join(problems...), join(inFile))
}

// read reads the file and checks its keys.
func read(ctx context.Context, path string, known []string) (*manifest.Document, error) {
	files, err := manifest.Find([]string{path}, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(files) != 1 || files[0].Walked {
		return nil, fmt.Errorf("reading the configuration: %s is no file", path)
	}
	data, err := files[0].Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	documents, errs := manifest.Parse(path, data)
	if len(errs) > 0 {
		errs[0].Message = strings.TrimSuffix(errs[0].Message, " with apiVersion and kind")
		return nil, errs[0]
	}
	switch len(documents) {
	case 0:
		return &manifest.Document{}, nil
	case 1:
	default:
		return nil, &manifest.Error{Position: documents[1].Start(), Message: "a second document: expected one"}
	}
	var unknown []*manifest.Error
	for key := range documents[0].Object {
		if slices.Contains(known, key) {
			continue
		}
		message := fmt.Sprintf("unknown key %q", key)
		if near := nearest.Name(key, known); near != "" {
			message += ": did you mean " + near + "?"
		}
		unknown = append(unknown, &manifest.Error{Position: documents[0].Position([]any{key}), Message: message})
	}
	return documents[0], join(unknown)
}

// join makes one error of many, in the order of the file.
func join(errs []*manifest.Error) error {
	slices.SortFunc(errs, func(a, b *manifest.Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	joined := make([]error, len(errs))
	for i, e := range errs {
		joined[i] = e
	}
	return errors.Join(joined...)
}

// set gives a flag its value, of a list one by one. In the environment commas divide a list.
func set(f *pflag.Flag, value any) error {
	list, isList := f.Value.(pflag.SliceValue)
	if !isList {
		text, err := cast.ToStringE(value)
		if err != nil {
			return fmt.Errorf("is %s: expected one value", manifest.Describe(value))
		}
		if _, err := strconv.ParseBool(text); err != nil && f.Value.Type() == "bool" {
			return fmt.Errorf("is %q: expected true or false", text)
		}
		return f.Value.Set(text)
	}
	if text, ok := value.(string); ok {
		return list.Replace(strings.Split(text, ","))
	}
	items, err := cast.ToStringSliceE(value)
	if err != nil {
		return fmt.Errorf("is %s: expected a list of strings", manifest.Describe(value))
	}
	return list.Replace(items)
}

func valueOf(f *pflag.Flag) any {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	text := f.Value.String()
	switch f.Value.Type() {
	case "bool":
		return text == "true"
	case "int", "int32", "int64", "uint", "uint16":
		if n, err := cast.ToInt64E(text); err == nil {
			return n
		}
	}
	return text
}
