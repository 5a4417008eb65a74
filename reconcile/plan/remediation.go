package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// Proposal is a Remediation as it is to be, with the mode that it goes as far as.
type Proposal struct {
	Remediation v1alpha1.Remediation
	Mode        v1alpha1.Mode
}

// Group names the items that belong together: of one policy and rule, in one mode.
type Group struct {
	Kind, Policy, Rule string // Policy is the key, NAMESPACE/NAME
	Mode               v1alpha1.Mode
}

// Group is the one that the item belongs to.
func (i *Item) Group() Group {
	return Group{i.Policy.Kind, i.Policy.Key(), i.Rule, i.Mode}
}

// Worth reports whether the item is to be proposed: what nobody knows how to repair is in the reports already.
func (i *Item) Worth() bool {
	return i.Target.Obstacle == nil || i.Target.Obstacle.Reason != v1alpha1.NoFix
}

// Remediations makes the Remediations of items, in the order of their names. An object that stands twice for one rule
// counts once. The digest names the bundle, and no policy's strategy goes further than the one given.
func Remediations(items []Item, digest string, strategy v1alpha1.Strategy) ([]Proposal, error) {
	groups := map[Group]map[string]Item{}
	for i := range items {
		it := &items[i]
		if !it.Worth() {
			continue
		}
		g := it.Group()
		if groups[g] == nil {
			groups[g] = map[string]Item{}
		}
		groups[g][targetKey(&it.Target)] = *it
	}
	var out []Proposal
	for g, members := range groups {
		for _, part := range split(members, 0) {
			r, err := remediation(part, digest, strategy)
			if err != nil {
				return nil, fmt.Errorf("planning for %s/%s: %w", g.Policy, g.Rule, err)
			}
			out = append(out, Proposal{r, g.Mode})
		}
	}
	slices.SortFunc(out, func(a, b Proposal) int { return strings.Compare(a.Remediation.Name, b.Remediation.Name) })
	return out, nil
}

// targetKey tells objects apart.
func targetKey(t *v1alpha1.Target) string {
	return strings.Join([]string{t.APIVersion, t.Kind, t.Namespace, t.Name, t.UID}, "\x00")
}

// split divides what is too much for one Remediation, by the bits of a hash: one more object then changes the part that it
// falls into, and the others stay as they were proposed.
func split(members map[string]Item, depth int) [][]Item {
	const frame = 4 << 10 // policy, rationale, risk and strategy
	size := frame
	for key := range members {
		it := members[key]
		size += targetSize(&it.Target)
	}
	if (len(members) <= v1alpha1.MaxTargets && size <= v1alpha1.MaxPlanBytes) || len(members) < 2 || depth == 8*sha256.Size {
		part := make([]Item, 0, len(members))
		for key := range members {
			part = append(part, members[key])
		}
		slices.SortFunc(part, func(a, b Item) int { return compareTargets(&a.Target, &b.Target) })
		return [][]Item{part}
	}
	var halves [2]map[string]Item
	for key := range members {
		sum := sha256.Sum256([]byte(key))
		bit := sum[depth/8] >> (7 - depth%8) & 1
		if halves[bit] == nil {
			halves[bit] = map[string]Item{}
		}
		halves[bit][key] = members[key]
	}
	var out [][]Item
	for _, half := range halves {
		if len(half) > 0 {
			out = append(out, split(half, depth+1)...)
		}
	}
	return out
}

// targetSize is an estimate of the target as JSON, from above: a patch is text in text, so that quotes count twice.
func targetSize(t *v1alpha1.Target) int {
	quotes := strings.Count(t.Patch, `"`) + strings.Count(t.Inverse, `"`) + strings.Count(t.Diff, `"`)
	return 2<<10 + len(t.Patch) + len(t.Inverse) + len(t.Diff) + quotes
}

func compareTargets(a, b *v1alpha1.Target) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name),
		strings.Compare(a.APIVersion, b.APIVersion), strings.Compare(a.UID, b.UID),
	)
}

func remediation(items []Item, digest string, strategy v1alpha1.Strategy) (v1alpha1.Remediation, error) {
	p := items[0].Policy
	plan := v1alpha1.Plan{
		Policy:       v1alpha1.PolicyReference{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name, Rule: items[0].Rule, Digest: p.Digest},
		BundleDigest: digest, Rationale: rationale(p, items[0].Rule), Strategy: strategyOf(p, strategy, len(items)),
	}
	for i := range items {
		plan.Targets = append(plan.Targets, items[i].Target)
	}
	plan.Risk = risk(plan.Targets)
	sum, err := Digest(&plan)
	if err != nil {
		return v1alpha1.Remediation{}, err
	}
	return v1alpha1.Remediation{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindRemediation},
		ObjectMeta: metav1.ObjectMeta{
			Name:   objectName(&plan.Policy, sum),
			Labels: map[string]string{v1alpha1.LabelGroup: GroupLabel(&plan.Policy)},
		},
		Spec: v1alpha1.RemediationSpec{Plan: plan, PlanDigest: sum},
	}, nil
}

// rationale is why, in the policy's words.
func rationale(p *engine.Policy, rule string) string {
	text := p.Annotations["policies.kyverno.io/description"]
	if text == "" {
		text = p.Title
	}
	if text == "" {
		text = "rule " + rule + " of " + p.Kind + " " + p.Key()
	}
	return cut(strings.Join(strings.Fields(text), " "), v1alpha1.MaxMessageBytes)
}

// Digest names a plan by what is to be done: sha256, in hex, over its canonical JSON. What only says why, or how an object
// stood that is still to become the same, does not count.
func Digest(p *v1alpha1.Plan) (string, error) {
	type target struct {
		APIVersion, Kind, Namespace, Name, UID string
		Action                                 v1alpha1.Action
		Patch, Inverse                         string
		Withheld                               v1alpha1.Withheld
		ResourceVersion                        string
		Obstacle                               v1alpha1.ObstacleReason
		With                                   []string
	}
	targets := make([]target, len(p.Targets))
	for i := range p.Targets {
		t := &p.Targets[i]
		targets[i] = target{t.APIVersion, t.Kind, t.Namespace, t.Name, t.UID, t.Action, t.Patch, t.Inverse, t.Withheld, "", "", nil}
		if t.Withheld != "" {
			targets[i].ResourceVersion = t.ResourceVersion
		}
		if t.Obstacle != nil {
			targets[i].Obstacle, targets[i].With = t.Obstacle.Reason, t.Obstacle.With
		}
	}
	raw, err := json.Marshal(struct {
		Policy   v1alpha1.PolicyReference
		Strategy v1alpha1.Strategy
		Targets  []target
	}{p.Policy, p.Strategy, targets})
	if err != nil {
		return "", fmt.Errorf("writing the plan in canonical form: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// GroupLabel is the value of the label that all Remediations of a policy's rule have.
func GroupLabel(p *v1alpha1.PolicyReference) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{p.Kind, p.Namespace, p.Name, p.Rule}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// objectName is POLICY-RULE-DIGEST, made a name that the API server takes. Ten digits of the digest tell plans of one rule
// apart.
func objectName(p *v1alpha1.PolicyReference, digest string) string {
	safe := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		default:
			return '-'
		}
	}, p.Name+"-"+p.Rule)
	const readable = 60
	safe = strings.Trim(safe[:min(len(safe), readable)], "-")
	return safe + "-" + digest[:10]
}
