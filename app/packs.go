package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/pack"
)

// packs is the answer of `holdfast bundle packs` as JSON.
type packs struct {
	Packs []packOf `json:"packs"`
	// Policies of no pack.
	Policies   []policyIn  `json:"policies,omitempty"`
	Parameters []parameter `json:"parameters"`
}

type packOf struct {
	Name     string     `json:"name"`
	Mode     pack.Mode  `json:"mode,omitempty"` // as chosen; empty: as its policies are written
	Policies []policyIn `json:"policies"`
}

type policyIn struct {
	Name string    `json:"name"`
	Mode pack.Mode `json:"mode,omitempty"`
}

type parameter struct {
	Name     string   `json:"name"`
	Policies []string `json:"policies"`
	Default  any      `json:"default"`
	Value    any      `json:"value"` // in force
}

// BundlePacks says which packs a bundle has, which policies are in them, how far they go, and what can be set in them.
func BundlePacks(ctx context.Context, opts BundleOptions, streams IO) (Exit, error) {
	_, sum, err := load(ctx, opts.Paths, opts.Packs, streams)
	if err != nil {
		return Failed, err
	}
	choice, err := opts.Packs.choice()
	if err != nil {
		return Failed, err
	}
	all := packsOf(sum, choice)
	if opts.Output == JSON {
		return Clean, printJSON(streams.Out, all)
	}
	return Clean, all.table(streams.Out)
}

// packsOf sorts policies into their packs, by name.
func packsOf(sum *bundle.Summary, choice pack.Choice) packs {
	out := packs{Packs: []packOf{}, Parameters: []parameter{}}
	for _, p := range sum.Choices {
		in := policyIn{p.Name, p.Mode}
		for _, name := range p.Packs {
			i := slices.IndexFunc(out.Packs, func(o packOf) bool { return o.Name == name })
			if i < 0 {
				i = len(out.Packs)
				out.Packs = append(out.Packs, packOf{Name: name, Mode: choice.Packs[name]})
			}
			out.Packs[i].Policies = append(out.Packs[i].Policies, in)
		}
		if len(p.Packs) == 0 {
			out.Policies = append(out.Policies, in)
		}
		for _, x := range p.Parameters {
			i := slices.IndexFunc(out.Parameters, func(o parameter) bool { return o.Name == x.Name })
			if i < 0 {
				i = len(out.Parameters)
				out.Parameters = append(out.Parameters, parameter{Name: x.Name, Default: x.Default, Value: x.Value})
			}
			out.Parameters[i].Policies = append(out.Parameters[i].Policies, p.Name)
		}
	}
	slices.SortFunc(out.Packs, func(a, b packOf) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Parameters, func(a, b parameter) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// table writes a paragraph for each pack, and a line for each parameter.
func (p *packs) table(w io.Writer) error {
	out := printer{w: w}
	for _, one := range p.Packs {
		out.printf("%s: %s\n", one.Name, modeText(one.Mode))
		out.policies(one.Policies, one.Mode)
	}
	if len(p.Policies) > 0 {
		out.printf("in no pack\n")
		out.policies(p.Policies, pack.AsWritten)
	}
	if len(p.Parameters) > 0 {
		out.printf("parameters\n")
	}
	for _, one := range p.Parameters {
		out.printf("  %s of %s: %s\n", one.Name, strings.Join(one.Policies, ", "), valueText(one.Value))
	}
	return out.err
}

// policies writes a line for each policy, with its mode where that is not its pack's.
func (p *printer) policies(list []policyIn, of pack.Mode) {
	for _, one := range list {
		if one.Mode == of {
			p.printf("  %s\n", one.Name)
			continue
		}
		p.printf("  %s (%s)\n", one.Name, modeText(one.Mode))
	}
}

func modeText(m pack.Mode) string {
	if m == pack.AsWritten {
		return "as written"
	}
	return string(m)
}

// valueText writes a parameter's value on one line.
func valueText(value any) string {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) == 0 {
		return "(none)"
	}
	texts := make([]string, len(list))
	for i, v := range list {
		if s, ok := v.(string); ok {
			texts[i] = s
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			raw = fmt.Append(nil, v)
		}
		texts[i] = string(raw)
	}
	return strings.Join(texts, ", ")
}
