package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// features are what a case is about: what its rule does, and what it uses for that.
type features struct {
	does string
	uses []string
}

// policies are the policies of one test file, as written.
type policies struct {
	test    map[string]any
	objects []map[string]any
}

// readPolicies reads what a test file names. What cannot be read has no features.
func readPolicies(file string) *policies {
	p := &policies{}
	for _, test := range documents(file) {
		p.test = test
		list, _ := test["policies"].([]any)
		for _, name := range list {
			text, _ := name.(string)
			root := filepath.Join(filepath.Dir(file), text)
			// A path that is no more gives no policies.
			_ = filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					p.objects = append(p.objects, documents(at)...)
				}
				return nil
			})
		}
	}
	return p
}

func documents(file string) []map[string]any {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var out []map[string]any
	for part := range bytes.SplitSeq(append([]byte("\n"), data...), []byte("\n---")) {
		var object map[string]any
		if yaml.Unmarshal(part, &object) == nil && object != nil {
			out = append(out, object)
		}
	}
	return out
}

// actions are what rules do, from the most particular.
var actions = []struct{ block, part string }{
	{"validate", "foreach"}, {"validate", "cel"}, {"validate", "podSecurity"}, {"validate", "assert"},
	{"validate", "manifests"}, {"validate", "anyPattern"}, {"validate", "pattern"}, {"validate", "deny"},
	{"mutate", "targets"}, {"mutate", "foreach"}, {"mutate", "patchesJson6902"}, {"mutate", "patchStrategicMerge"},
	{"generate", "foreach"}, {"generate", "cloneList"}, {"generate", "clone"}, {"generate", "data"},
}

// features finds what a case is about.
func (p *policies) features(c *testCase) features {
	for _, object := range p.objects {
		kind, _ := object["kind"].(string)
		if nameOf(object) != c.Policy[strings.LastIndex(c.Policy, "/")+1:] || strings.HasSuffix(kind, "Binding") {
			continue
		}
		version, _ := object["apiVersion"].(string)
		group, _, _ := strings.Cut(version, "/")
		if group != "kyverno.io" || !strings.HasSuffix(kind, "Policy") || strings.Contains(kind, "Cleanup") {
			return features{does: strings.TrimPrefix(kind, "Namespaced")}
		}
		spec, _ := object["spec"].(map[string]any)
		rules, _ := spec["rules"].([]any)
		for _, r := range rules {
			rule, _ := r.(map[string]any)
			if name, _ := rule["name"].(string); c.Rule == "" || name == strings.TrimPrefix(strings.TrimPrefix(c.Rule, "autogen-"), "cronjob-") {
				return features{does: does(rule), uses: p.uses(rule)}
			}
		}
	}
	return features{does: "none: there is no such policy or rule"}
}

func nameOf(object map[string]any) string {
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	return name
}

func does(rule map[string]any) string {
	for _, a := range actions {
		block, _ := rule[a.block].(map[string]any)
		if block[a.part] != nil {
			return a.block + "." + a.part
		}
	}
	if rule["verifyImages"] != nil {
		return "verifyImages"
	}
	return "other"
}

// uses lists what the rule and its test use beside the rule's action.
func (p *policies) uses(rule map[string]any) []string {
	found := map[string]bool{}
	walk(rule, func(key string, value any) {
		switch key {
		case "preconditions", "celPreconditions", "imageExtractors":
			found[key] = true
		case "context":
			list, _ := value.([]any)
			for _, item := range list {
				entry, _ := item.(map[string]any)
				for _, source := range []string{"variable", "configMap", "apiCall", "globalReference", "imageRegistry"} {
					if entry[source] != nil {
						found["context."+source] = true
					}
				}
			}
		case "subjects", "roles", "clusterRoles":
			found["match by user"] = true
		case "namespaceSelector", "selector", "operations":
			found["match by "+key] = true
		}
	})
	for field, name := range map[string]string{
		"exceptions": "PolicyException", "userinfo": "userinfo of the test", "values": "values of the test",
		"variables": "values of the test", "clusterResources": "clusterResources of the test",
	} {
		if p.test[field] != nil {
			found[name] = true
		}
	}
	out := make([]string, 0, len(found))
	for name := range found {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func walk(value any, visit func(key string, value any)) {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			visit(k, v)
			walk(v, visit)
		}
	case []any:
		for _, v := range value {
			walk(v, visit)
		}
	}
}
