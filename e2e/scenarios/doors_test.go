package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	sigsyaml "sigs.k8s.io/yaml"
)

// corpusVariable names a folder of more manifests (*.yaml) to walk through the doors.
const corpusVariable = "HOLDFAST_CORPUS"

// One engine, one verdict: each object of testdata/doors, and of the folder in HOLDFAST_CORPUS if it is set, is judged
// by the command line, by the live webhook on a dry-run create, and by the auditor. The policies are the shipped ones,
// without mutations, and all Enforce, so that a denial tells every rule that fails.
//
// The objects are created before Holdfast runs. What the API server makes of them (its defaults) is what the command
// line then gets as a file, so that all three judge the same.
func TestTheSameObjectGetsTheSameVerdictFromAllThreeDoors(t *testing.T) {
	folders := []string{filepath.Join("testdata", "doors")}
	if corpus := os.Getenv(corpusVariable); corpus != "" {
		folders = append(folders, corpus)
	}
	c := newCluster(t)
	w := &walk{cluster: c}
	for _, folder := range folders {
		w.create(t, readManifests(t, folder))
		if len(folders) == 1 && len(w.leftOut) > 0 {
			t.Errorf("left out: %v", w.leftOut)
		}
	}
	t.Logf("%d objects walk through the doors, %d are left out", len(w.created), len(w.leftOut))
	for _, line := range w.leftOut {
		t.Log("left out: " + line)
	}
	bundle := shippedBundle(t, filepath.Join(c.dir, "bundle"), enforced)

	// The first door: files.
	file := w.export(t)
	expected := w.only(c.audited(t, "--bundle", bundle, file))
	fails := 0
	for _, outcome := range expected {
		if outcome == "fail" {
			fails++
		}
	}
	t.Logf("the command line gives %d verdicts, %d of them fail", len(expected), fails)
	if fails == 0 || fails == len(expected) {
		t.Fatalf("%d of %d verdicts fail: nothing is told apart", fails, len(expected))
	}

	// The second door: admission.
	c.serve(t, c.options(t, "holdfast", bundle))
	for i := range w.created {
		w.compareAdmission(t, &w.created[i], expected)
	}

	// The third door: the audit. All of its verdicts on these objects, and no others.
	eventually(t, "the reports to say what the command line says", c.reports(expected))
	have, err := c.reported(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if more := w.only(have).missing(expected); len(more) > 0 {
		t.Errorf("in the reports only:\n%s", strings.Join(more, "\n"))
	}
}

// walk is what goes through the doors.
type walk struct {
	cluster *cluster
	created []candidate
	leftOut []string // objects that the server does not take, and why
	dryRun  []string // as in CreateOptions
}

// candidate is an object as it was written, and as the server keeps it.
type candidate struct {
	client  dynamic.ResourceInterface
	written *unstructured.Unstructured
	kept    *unstructured.Unstructured
	kind    string
	key     string // the start of its verdicts' keys
}

// dangerous are groups whose objects would change how the API server answers everybody.
var dangerous = []string{"admissionregistration.k8s.io", "apiregistration.k8s.io", "apiextensions.k8s.io", "flowcontrol.apiserver.k8s.io"}

// create creates the objects, namespaces first.
func (w *walk) create(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(w.cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(client)
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })
	for _, o := range objects {
		gvk := o.GroupVersionKind()
		what := fmt.Sprintf("%s %s/%s", gvk.Kind, o.GetNamespace(), o.GetName())
		mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		switch {
		case meta.IsNoMatchError(err):
			w.leaveOut(what, "the server does not serve "+gvk.String())
			continue
		case err != nil:
			t.Fatal(err)
		case slices.Contains(dangerous, gvk.Group):
			w.leaveOut(what, "it would change the server")
			continue
		}
		resource := w.cluster.dynamic.Resource(mapping.Resource)
		var in dynamic.ResourceInterface = resource
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			if o.GetNamespace() == "" {
				o.SetNamespace(metav1.NamespaceDefault)
			}
			w.needNamespace(t, o.GetNamespace())
			in = resource.Namespace(o.GetNamespace())
		}
		kept, err := in.Create(t.Context(), o.DeepCopy(), metav1.CreateOptions{DryRun: w.dryRun})
		if err != nil {
			w.leaveOut(what, err.Error())
			continue
		}
		key := verdictKey(kept.GetKind(), kept.GetNamespace(), kept.GetName(), "", "")
		w.created = append(w.created, candidate{
			client: in, written: o, kept: kept, kind: kept.GetKind(), key: strings.TrimSuffix(key, "/"),
		})
	}
}

func rank(o *unstructured.Unstructured) int {
	if o.GetKind() == "Namespace" {
		return 0
	}
	return 1
}

func (w *walk) leaveOut(what, why string) { w.leftOut = append(w.leftOut, what+": "+why) }

// needNamespace makes a namespace that no manifest has made.
func (w *walk) needNamespace(t *testing.T, name string) {
	t.Helper()
	ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
	_, err := w.cluster.dynamic.Resource(podResource.GroupVersion().WithResource("namespaces")).Create(t.Context(), ns, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// only keeps the verdicts on what walks through the doors.
func (w *walk) only(all verdicts) verdicts {
	out := verdicts{}
	for key, outcome := range all {
		if slices.ContainsFunc(w.created, func(o candidate) bool { return strings.HasPrefix(key, o.key) }) {
			out[key] = outcome
		}
	}
	return out
}

// export writes the objects as the server keeps them into a file, with the server's namespaces, whose labels rules ask
// for.
func (w *walk) export(t *testing.T) string {
	t.Helper()
	var text bytes.Buffer
	add := func(o *unstructured.Unstructured) {
		data, err := sigsyaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n")
		text.Write(data)
	}
	namespaces, err := w.cluster.dynamic.Resource(podResource.GroupVersion().WithResource("namespaces")).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range namespaces.Items {
		add(&namespaces.Items[i])
	}
	for i := range w.created {
		if w.created[i].kind != "Namespace" {
			add(w.created[i].kept)
		}
	}
	path := filepath.Join(w.cluster.dir, "objects.yaml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// maxListed is how many rules a denial spells out.
const maxListed = 20

// compareAdmission creates the object again, as a dry run. Admission comes before the server finds that it exists.
func (w *walk) compareAdmission(t *testing.T, o *candidate, expected verdicts) {
	t.Helper()
	var want []string
	for key, outcome := range expected {
		if rule, ok := strings.CutPrefix(key, o.key); ok && outcome == "fail" {
			want = append(want, rule)
		}
	}
	slices.Sort(want)
	_, err := o.client.Create(t.Context(), o.written.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	var status apierrors.APIStatus
	switch {
	case apierrors.IsAlreadyExists(err):
		if len(want) > 0 {
			t.Errorf("%sis admitted; the command line says that it fails %v", o.key, want)
		}
		return
	case apierrors.IsForbidden(err) && errors.As(err, &status) && status.Status().Details != nil:
	default:
		t.Errorf("%scannot be tried at the webhook: %v", o.key, err)
		return
	}
	var got []string
	for _, cause := range status.Status().Details.Causes {
		got = append(got, string(cause.Type))
	}
	slices.Sort(got)
	if len(got) == maxListed && len(want) > maxListed {
		t.Logf("%sfails %d rules, of which the denial tells %d", o.key, len(want), maxListed)
		for _, rule := range got {
			if !slices.Contains(want, rule) {
				t.Errorf("%sis refused for %s, and the command line says no such thing", o.key, rule)
			}
		}
		return
	}
	if !slices.Equal(got, want) {
		t.Errorf("%sis refused for %v; the command line says that it fails %v", o.key, got, want)
	}
}

// readManifests reads all objects of the *.yaml files in a folder.
func readManifests(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no manifests in %s (error: %v)", folder, err)
	}
	var out []*unstructured.Unstructured
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(&object.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("read %s: %v", path, err)
			}
			if len(object.Object) > 0 {
				out = append(out, object)
			}
		}
	}
	return out
}
