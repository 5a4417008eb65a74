package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report"
)

// objectsInput is what the files of an audit hold.
type objectsInput struct {
	objects  []input
	coverage []report.Coverage
	lookups  fileLookups
}

// input is one object that is to be judged.
type input struct {
	document *manifest.Document
	request  engine.Request
}

// readObjects reads all documents of the paths. What cannot be read is in the coverage; an error means that
// the paths themselves cannot.
func readObjects(ctx context.Context, paths []string, namespace string, streams IO) (*objectsInput, error) {
	files, err := manifest.Find(paths, streams.In)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no *.yaml, *.yml or *.json file in %s", strings.Join(paths, ", "))
	}
	bar := newProgress(streams, "reading", len(files))
	defer bar.stop()
	in := &objectsInput{}
	var documents []*manifest.Document
	walked := map[string]bool{}
	for i := range files {
		data, err := files[i].Read(ctx)
		if err != nil {
			return nil, err
		}
		found, errs := manifest.Parse(files[i].Name, data)
		documents = append(documents, found...)
		for _, e := range errs {
			in.gap(e.Position, e.Message)
		}
		if len(found) == 0 && len(errs) == 0 {
			in.coverage = append(in.coverage, report.Coverage{Source: files[i].Name})
		}
		walked[files[i].Name] = files[i].Walked
		bar.step()
	}
	in.lookups = namespacesOf(documents)
	in.lookups.scopes = manifest.ScopesOf(documents)
	in.request(documents, in.lookups.scopes, namespace, walked)
	return in, nil
}

func (in *objectsInput) gap(at manifest.Position, message string) {
	in.coverage = append(in.coverage, report.Coverage{Source: at.File, Line: at.Line, Column: at.Column, Error: message})
}

// request makes requests of the documents, and counts them per file and kind.
func (in *objectsInput) request(documents []*manifest.Document, scopes manifest.Scopes, namespace string, walked map[string]bool) {
	counts := map[report.Coverage]int{}
	for _, d := range documents {
		if d.APIVersion() == "" || d.Kind() == "" {
			const message = "has no apiVersion and kind"
			if walked[d.File] {
				counts[report.Coverage{Source: d.File, Skipped: message}]++
			} else {
				in.gap(d.Start(), message+": expected a Kubernetes object")
			}
			continue
		}
		req, path, err := requestFor(d, scopes, namespace)
		if err != nil {
			in.gap(d.Position(path), err.Error())
			continue
		}
		counts[report.Coverage{Source: d.File, APIVersion: d.APIVersion(), Kind: d.Kind()}]++
		in.objects = append(in.objects, input{d, req})
		in.lookups.objects[objectKey{req.Kind, req.Namespace, req.Name}] = req.Object
	}
	for c, n := range counts {
		if c.Skipped == "" {
			c.Objects = n
		} else if n > 1 {
			c.Skipped = fmt.Sprintf("%d documents: %s", n, c.Skipped)
		}
		in.coverage = append(in.coverage, c)
	}
}

// requestFor makes the request of an object at rest. An object that names no namespace is taken to be in
// the given one, as kubectl does, unless its kind lives in none.
func requestFor(d *manifest.Document, scopes manifest.Scopes, namespace string) (engine.Request, []any, error) {
	gv, err := schema.ParseGroupVersion(d.APIVersion())
	if err != nil {
		return engine.Request{}, []any{"apiVersion"}, fmt.Errorf("apiVersion: %w", err)
	}
	req := engine.Request{Operation: engine.Create, Kind: gv.WithKind(d.Kind()), Object: d.Object}
	raw, has := d.Object["metadata"]
	meta, ok := raw.(map[string]any)
	if has && !ok && raw != nil {
		return req, []any{"metadata"}, fmt.Errorf("metadata is %s: expected an object", manifest.Describe(raw))
	}
	for _, field := range []struct {
		key  string
		into *string
	}{{"name", &req.Name}, {"namespace", &req.Namespace}} {
		value := meta[field.key]
		if *field.into, ok = value.(string); !ok && value != nil {
			return req, []any{"metadata", field.key}, fmt.Errorf("metadata.%s is %s: expected a string", field.key, manifest.Describe(value))
		}
	}
	switch {
	case scopes.Cluster(req.Kind.GroupKind()):
		req.Namespace = ""
	case req.Namespace == "":
		req.Namespace = namespace
		if meta != nil {
			meta["namespace"] = namespace // as the API server would
		}
	}
	return req, nil, nil
}

// subject names the object for a report.
func (in *input) subject() report.Subject {
	meta, _ := in.request.Object["metadata"].(map[string]any)
	name := in.request.Name
	if name == "" {
		name, _ = meta["generateName"].(string)
	}
	uid, _ := meta["uid"].(string)
	return report.Subject{
		Resource: report.Resource{
			APIVersion: in.document.APIVersion(), Kind: in.document.Kind(),
			Namespace: in.request.Namespace, Name: name, UID: uid,
		},
		Object: in.request.Object,
	}
}

// fileLookups answers from the files themselves: the labels of the Namespaces among them, and their objects.
type fileLookups struct {
	engine.NoLookups
	labels  map[string]map[string]string // of each Namespace
	objects map[objectKey]map[string]any
	scopes  manifest.Scopes
}

type objectKey struct {
	kind            schema.GroupVersionKind
	namespace, name string
}

// Get gives an object of the files. Of one that is not among them nothing is known: it may be in the cluster.
func (l fileLookups) Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	if object, ok := l.objects[objectKey{kind, namespace, name}]; ok {
		return object, nil
	}
	return l.NoLookups.Get(ctx, kind, namespace, name)
}

// Namespaced tells the scope of a kind that is built in or that a CRD of the files declares.
func (l fileLookups) Namespaced(_ context.Context, kind schema.GroupVersionKind) (bool, error) {
	namespaced, known := l.scopes.Namespaced(kind.GroupKind())
	if !known {
		return false, engine.ErrNoLookup
	}
	return namespaced, nil
}

// Map finds the kind of a plural name among the objects of the files.
func (l fileLookups) Map(_ context.Context, kind schema.GroupVersionKind) (schema.GroupVersionKind, schema.GroupVersionResource, error) {
	for known := range l.objects {
		plural, _ := meta.UnsafeGuessKindToResource(known.kind)
		if known.kind == kind || plural == kind.GroupVersion().WithResource(kind.Kind) {
			return known.kind, plural, nil
		}
	}
	return kind, schema.GroupVersionResource{}, engine.ErrNoLookup
}

func namespacesOf(documents []*manifest.Document) fileLookups {
	found := map[string]map[string]string{}
	for _, d := range documents {
		if d.APIVersion() != "v1" || d.Kind() != "Namespace" {
			continue
		}
		meta, _ := d.Object["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		labels, _ := meta["labels"].(map[string]any)
		of := map[string]string{}
		for k, v := range labels {
			if s, ok := v.(string); ok {
				of[k] = s
			}
		}
		found[name] = of
	}
	for name, labels := range found {
		labels[namespaceNameLabel] = name
	}
	return fileLookups{labels: found, objects: map[objectKey]map[string]any{}}
}

// namespaceNameLabel is what the API server puts on every namespace.
const namespaceNameLabel = "kubernetes.io/metadata.name"

// NamespaceLabels gives the labels that the files say the namespace has, and the one that every namespace
// has.
func (l fileLookups) NamespaceLabels(_ context.Context, namespace string) (map[string]string, error) {
	if labels, ok := l.labels[namespace]; ok {
		return labels, nil
	}
	return map[string]string{namespaceNameLabel: namespace}, nil
}

// Roles has no answer: nobody asks for a file.
func (l fileLookups) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return nil, nil, errors.New("the roles of users are not known for files")
}

func (in *objectsInput) inputs() *engine.Inputs {
	return &engine.Inputs{Lookups: in.lookups, Now: time.Now, Rand: rand.Reader}
}
