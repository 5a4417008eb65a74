package pack

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/nearest"
)

// Policy is what there was to choose of a policy, and what was chosen.
type Policy struct {
	Name       string // NAMESPACE/NAME of one that is in a namespace
	Packs      []string
	Mode       Mode
	Parameters []Parameter
}

// Parameter is a value of a policy that can be set.
type Parameter struct {
	Name string
	// Default is as the policy has it, Value what is in force: a string, a bool, a number or a list of them.
	Default, Value any
}

// Chooser applies a choice to the documents of a bundle. It is safe for concurrent use.
type Chooser struct {
	choice Choice
	mu     sync.Mutex
	seen   []Policy
}

// NewChooser begins with a bundle.
func NewChooser(choice Choice) *Chooser { return &Chooser{choice: choice} }

// Apply changes the document of a policy to what was chosen, and reports whether the policy stays. Documents that are no
// policies stay as they are.
func (c *Chooser) Apply(document map[string]any) (stays bool, problems []engine.Problem) {
	kind, _ := document["kind"].(string)
	if !strings.HasSuffix(kind, "Policy") {
		return true, nil
	}
	meta, _ := document["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	if namespace, _ := meta["namespace"].(string); namespace != "" {
		name = namespace + "/" + name
	}
	annotations, _ := meta["annotations"].(map[string]any)
	packs, _ := annotations[PacksAnnotation].(string)
	p := Policy{Name: name, Packs: names(packs)}
	p.Mode = c.choice.mode(p.Name, p.Packs)
	parameters, _ := annotations[ParametersAnnotation].(string)
	p.Parameters, problems = c.choice.set(document, names(parameters))
	problems = append(problems, enter(document, p.Mode)...)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, p)
	return p.Mode != Off, problems
}

// Policies are all that were seen, by name.
func (c *Chooser) Policies() []Policy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(c.seen), func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
}

// Unknown says what was chosen that no policy has, once the whole bundle was seen: a name with a slip in it must not pass
// for a choice.
func (c *Chooser) Unknown() error {
	packs, policies, parameters := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range c.Policies() {
		policies[p.Name] = true
		for _, name := range p.Packs {
			packs[name] = true
		}
		for _, x := range p.Parameters {
			parameters[x.Name] = true
		}
	}
	return errors.Join(
		unknown("pack", c.choice.Packs, packs), unknown("policy", c.choice.Policies, policies),
		unknown("parameter", c.choice.Parameters, parameters),
	)
}

func unknown[T any](sort string, chosen map[string]T, known map[string]bool) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		if known[name] {
			continue
		}
		all := slices.Sorted(maps.Keys(known))
		near := nearest.Name(name, all)
		switch {
		case near != "":
			errs = append(errs, fmt.Errorf("the bundle has no %s %q: did you mean %s?", sort, name, near))
		case len(all) == 0 || sort == "policy": // whose names are too many to be read
			errs = append(errs, fmt.Errorf("the bundle has no %s %q", sort, name))
		default:
			errs = append(errs, fmt.Errorf("the bundle has no %s %q: expected one of %s", sort, name, strings.Join(all, ", ")))
		}
	}
	return errors.Join(errs...)
}
