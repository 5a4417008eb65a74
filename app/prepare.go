package app

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	corev1 "k8s.io/api/core/v1"

	"github.com/holdfast-io/holdfast/charts"
	"github.com/holdfast-io/holdfast/report"
)

// prepareCluster does for a program outside of the cluster what the chart does for one inside: it makes the
// namespace of the lease and the CRDs of the reports that are written. What is there already is left alone.
func prepareCluster(ctx context.Context, clients *cluster, opts *ServeOptions, log *slog.Logger) error {
	namespace := opts.Namespace
	_, err := clients.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making namespace %s: %w", namespace, err)
	}
	crds := charts.CRDs()
	files, err := fs.Glob(crds, "*.yaml")
	if err != nil {
		return fmt.Errorf("finding the CRDs: %w", err)
	}
	definitions := clients.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, file := range files {
		if group, _, _ := strings.Cut(file, "_"); group != string(opts.Reports.API) && slices.Contains(report.APIs(), report.API(group)) {
			continue // reports of this kind are not written
		}
		text, err := fs.ReadFile(crds, file)
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &crd.Object); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		_, err = definitions.Create(ctx, crd, metav1.CreateOptions{})
		switch {
		case apierrors.IsAlreadyExists(err):
		case err != nil:
			return fmt.Errorf("making CRD %s: %w", crd.GetName(), err)
		default:
			log.Info("made a CRD", "name", crd.GetName())
		}
	}
	return nil
}
