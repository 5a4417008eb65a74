package app

import (
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/bundle/pack"
)

// PackOptions say which policies of the bundle are in force, how far they go, and with which values.
type PackOptions struct {
	// Packs and Policies are modes (off, audit or enforce) as NAME=MODE. A policy's own wins over its packs', and of those the
	// strictest counts. Default: none, so that policies are as they are written.
	Packs, Policies []string
	// Parameters are values of policies' parameters as NAME=VALUE. A list has its name once for each value, and NAME= for none.
	Parameters []string
}

// Validate names the first option that cannot be used, by its flag. Whether there is such a pack, policy or parameter shows
// when the bundle is loaded.
func (o *PackOptions) Validate() error {
	_, err := o.choice()
	return err
}

// choice reads the options.
func (o *PackOptions) choice() (pack.Choice, error) {
	var out pack.Choice
	var err error
	if out.Packs, err = parseModes("pack", o.Packs); err != nil {
		return out, err
	}
	if out.Policies, err = parseModes("policy", o.Policies); err != nil {
		return out, err
	}
	out.Parameters, err = parseParameters(o.Parameters)
	return out, err
}

func parseModes(flag string, items []string) (map[string]pack.Mode, error) {
	out := make(map[string]pack.Mode, len(items))
	for _, item := range items {
		name, text, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--%s %q: expected NAME=MODE", flag, item)
		}
		mode, err := pack.ParseMode(text)
		if err != nil {
			return nil, fmt.Errorf("--%s %q: %w", flag, item, err)
		}
		if before, twice := out[name]; twice && before != mode {
			return nil, fmt.Errorf("--%s %q: %s is to be %s too", flag, item, name, before)
		}
		out[name] = mode
	}
	return out, nil
}

func parseParameters(items []string) (map[string][]string, error) {
	out := make(map[string][]string, len(items))
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--parameter %q: expected NAME=VALUE, with the name before each value of a list", item)
		}
		if _, begun := out[name]; !begun {
			out[name] = []string{}
		}
		if value != "" {
			out[name] = append(out[name], value)
		}
	}
	return out, nil
}
