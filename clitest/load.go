package clitest

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// load reads all that the test names.
func (t *test) load(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		t.loadValues, t.loadUser, t.loadPolicies, t.loadCluster, t.loadObjects, t.loadPayloads, t.loadSources, t.loadContext, t.loadAnswers,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *test) loadPolicies(ctx context.Context) error {
	var bindings []*engine.Binding
	err := t.folder.texts(ctx, t.spec.Policies, func(path string, data []byte) error {
		found, bind, err := t.library.load(path, data)
		t.policies, bindings = append(t.policies, found...), append(bindings, bind...)
		return err
	})
	if err != nil {
		return err
	}
	for i, p := range t.policies {
		if t.policies[i], err = p.bound(bindings); err != nil {
			return fmt.Errorf("binding policy %s: %w", p.name, err)
		}
	}
	var exceptions []*engine.Exception
	err = t.folder.texts(ctx, t.spec.Exceptions, func(path string, data []byte) error {
		found, err := t.library.reader.ReadExceptions(path, data)
		exceptions = append(exceptions, found...)
		return err
	})
	if err != nil {
		return err
	}
	for i, p := range t.policies {
		if t.policies[i], err = p.excused(exceptions); err != nil {
			return fmt.Errorf("excusing from policy %s: %w", p.name, err)
		}
	}
	return nil
}

func (t *test) loadValues(ctx context.Context) error {
	t.values = t.spec.Values
	if t.values == nil && t.spec.Variables != "" {
		path, data, err := t.folder.text(ctx, t.spec.Variables)
		if err != nil {
			return err
		}
		file, err := decodeOne[valuesFile](path, data)
		if err != nil {
			return err
		}
		t.values = &file.values
	}
	t.world.namespaces, t.world.named = map[string]map[string]string{}, map[string]map[string]any{}
	if t.values == nil {
		return nil
	}
	for _, s := range t.values.NamespaceSelectors {
		t.world.namespaces[s.Name] = s.Labels
	}
	for i := range t.values.Namespaces {
		n := &t.values.Namespaces[i]
		t.world.namespaces[n.Name] = n.Labels
		value, err := namespaceObject(n)
		if err != nil {
			return fmt.Errorf("namespaces[%d]: %w", i, err)
		}
		t.world.named[n.Name] = value
	}
	return nil
}

// loadUser reads who asks.
func (t *test) loadUser(ctx context.Context) error {
	if t.spec.UserInfo == "" {
		return nil
	}
	path, data, err := t.folder.text(ctx, t.spec.UserInfo)
	if err != nil {
		return err
	}
	file, err := decodeOne[userInfoFile](path, data)
	if err != nil {
		return err
	}
	t.user, t.dryRun = &file.UserInfo, file.DryRun
	t.world.roles, t.world.cRoles = file.Roles, file.ClusterRoles
	return nil
}

// loadCluster reads what the cluster holds: CustomResourceDefinitions and objects.
func (t *test) loadCluster(ctx context.Context) error {
	t.world.plurals = map[schema.GroupVersionKind]string{}
	t.world.cluster = len(t.spec.ClusterResources) > 0
	return t.folder.texts(ctx, t.spec.ClusterResources, func(path string, data []byte) error {
		file, err := decodeOne[clusterFile](path, data)
		if err != nil {
			return err
		}
		err = t.folder.texts(ctx, file.Spec.CRDs, func(path string, data []byte) error {
			documents, errs := manifest.Parse(path, data)
			if len(errs) > 0 {
				return errs[0]
			}
			t.crds = append(t.crds, documents...)
			return nil
		})
		if err != nil {
			return err
		}
		t.scopes = manifest.ScopesOf(t.crds)
		t.world.scopes = t.scopes
		t.readPlurals()
		return t.addToWorld(path, file.Spec.Resources)
	})
}

func (t *test) addToWorld(path string, values []map[string]any) error {
	for i, value := range values {
		o, err := newObject(value, t.scopes)
		if err != nil {
			return fmt.Errorf("%s: resource %d: %w", path, i, err)
		}
		t.cluster, t.world.objects = append(t.cluster, o), append(t.world.objects, o)
		if o.kind.GroupKind() == (schema.GroupKind{Kind: "Namespace"}) {
			if _, given := t.world.namespaces[o.name]; !given {
				t.world.namespaces[o.name] = o.labels()
			}
		}
	}
	return nil
}

// readPlurals finds what the CRDs call their kinds in paths.
func (t *test) readPlurals() {
	for _, d := range t.crds {
		spec, _ := d.Object["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		plural, _ := names["plural"].(string)
		versions, _ := spec["versions"].([]any)
		for _, v := range versions {
			version, _ := v.(map[string]any)
			name, _ := version["name"].(string)
			t.world.plurals[schema.GroupVersionKind{Group: group, Version: name, Kind: kind}] = plural
		}
	}
}

// loadObjects reads what is judged, and what is there beside it.
func (t *test) loadObjects(ctx context.Context) (err error) {
	if t.objects, err = t.folder.objects(ctx, t.spec.Resources, t.scopes); err != nil {
		return err
	}
	if t.targets, err = t.folder.objects(ctx, t.spec.TargetResources, t.scopes); err != nil {
		return err
	}
	params, err := t.folder.objects(ctx, t.spec.ParamResources, t.scopes)
	if err != nil {
		return err
	}
	for _, list := range [][]*object{t.objects, t.targets, params} {
		t.world.objects = append(t.world.objects, list...)
	}
	return nil
}

// loadSources reads what generate rules clone.
func (t *test) loadSources(ctx context.Context) error {
	for i := range t.spec.Results {
		name := t.spec.Results[i].CloneSourceResource
		if name == "" {
			continue
		}
		found, err := t.folder.objects(ctx, []string{name}, t.scopes)
		if err != nil {
			return err
		}
		t.sources = append(t.sources, found...)
	}
	return nil
}

func (t *test) loadContext(ctx context.Context) error {
	t.world.images = map[string]map[string]any{}
	if t.spec.Context == "" {
		return nil
	}
	path, data, err := t.folder.text(ctx, t.spec.Context)
	if err != nil {
		return err
	}
	file, err := decodeOne[contextFile](path, data)
	if err != nil {
		return err
	}
	for i := range file.Spec.Images {
		t.world.images[file.Spec.Images[i].Image] = file.Spec.Images[i].registered()
	}
	return t.addToWorld(path, file.Spec.Resources)
}

// loadAnswers reads what is written in the test itself.
func (t *test) loadAnswers(ctx context.Context) error {
	t.world.calls = map[string]apiCallResponse{}
	for i, response := range t.spec.APICallResponses {
		address := strings.TrimSpace(response.URL)
		if address == "" {
			address = strings.TrimSpace(response.URLPath)
		}
		if address == "" {
			return fmt.Errorf("apiCallResponses[%d] has neither url nor urlPath", i)
		}
		if response.Response.StatusCode == 0 {
			response.Response.StatusCode = 200
		}
		if method := strings.ToUpper(strings.TrimSpace(response.Method)); method != "" {
			address = method + ":" + address
		}
		if _, twice := t.world.calls[address]; twice {
			return fmt.Errorf("apiCallResponses[%d] answers %s a second time", i, address)
		}
		t.world.calls[address] = response
	}
	t.world.globals = map[string]any{}
	for i := range t.spec.GlobalContextEntries {
		if err := t.loadGlobal(ctx, &t.spec.GlobalContextEntries[i]); err != nil {
			return fmt.Errorf("globalContextEntries[%d]: %w", i, err)
		}
	}
	return nil
}

func (t *test) loadGlobal(ctx context.Context, entry *globalContextEntry) error {
	value := entry.Data
	if value == nil {
		list := []any{}
		for _, r := range entry.Resources {
			list = append(list, r)
		}
		err := t.folder.texts(ctx, entry.ResourceFiles, func(path string, data []byte) error {
			documents, errs := manifest.Parse(path, data)
			if len(errs) > 0 {
				return errs[0]
			}
			for _, d := range documents {
				list = append(list, d.Object)
			}
			return nil
		})
		if err != nil {
			return err
		}
		value = list
	}
	var err error
	if entry.FieldPath != "" {
		if value, err = search(entry.FieldPath, value); err != nil {
			return fmt.Errorf("fieldPath: %w", err)
		}
	}
	if len(entry.Projections) == 0 {
		t.world.globals[entry.Name] = value
		return nil
	}
	whole := map[string]any{}
	for i, p := range entry.Projections {
		if whole[p.Name], err = search(p.Path, value); err != nil {
			return fmt.Errorf("projections[%d]: %w", i, err)
		}
		t.world.globals[entry.Name+"."+p.Name] = whole[p.Name]
	}
	t.world.globals[entry.Name] = maps.Clone(whole)
	return nil
}

// search evaluates a JMESPath.
func search(path string, value any) (any, error) {
	query, err := expr.Compile(path)
	if err != nil {
		return nil, err
	}
	return query.SearchIn(&expr.Env{Functions: expr.NewFunctions()}, value)
}
