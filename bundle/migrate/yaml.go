package migrate

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// YAML writes the policies of a result, one document each, with their fields in the order in which people write them.
func (r *Result) YAML() ([]byte, error) {
	var out bytes.Buffer
	for i := range r.Rules {
		for j := range r.Rules[i].Policies {
			text, err := r.Rules[i].Policies[j].YAML()
			if err != nil {
				return nil, err
			}
			if out.Len() > 0 {
				out.WriteString("---\n")
			}
			out.Write(text)
		}
	}
	return out.Bytes(), nil
}

// YAML writes the policy.
func (p *Policy) YAML() ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(nodeOf(p.text)); err != nil {
		return nil, fmt.Errorf("writing %s %s: %w", p.Kind, p.Name, err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing %s %s: %w", p.Kind, p.Name, err)
	}
	return out.Bytes(), nil
}

func nodeOf(v any) *yaml.Node {
	switch v := v.(type) {
	case fields:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, p := range v {
			n.Content = append(n.Content, textNode(p.key), nodeOf(p.value))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		short := true
		for _, item := range v {
			text, isText := item.(string)
			short = short && isText && len(text) < 40
			n.Content = append(n.Content, nodeOf(item))
		}
		if short {
			n.Style = yaml.FlowStyle
		}
		return n
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
	case int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(v)}
	default:
		return textNode(fmt.Sprint(v))
	}
}

func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.Contains(s, "\n") || len(s) > 60 && strings.ContainsAny(s, `"':`) {
		n.Style = yaml.LiteralStyle
	}
	return n
}
