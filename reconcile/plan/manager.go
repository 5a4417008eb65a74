package plan

import (
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// ManagerOf tells which tool keeps an object by a source of its own, by what the tool writes on it; nil for none. A patch
// of such an object lasts until the tool looks at it again, and then they fight.
//
// Sources: Flux, kustomize-controller and helm-controller API references (owner labels); Argo CD, "Resource Tracking"
// (tracking-id annotation, instance label); Helm, pkg/action/validate.go (managed-by label, release annotations).
func ManagerOf(object map[string]any) *v1alpha1.Manager {
	meta := metadata(object)
	labels, _ := meta["labels"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	of := func(tool, format string, args ...any) *v1alpha1.Manager {
		return &v1alpha1.Manager{Tool: tool, Source: cut(fmt.Sprintf(format, args...), 600)}
	}
	// Flux comes first: its helm-controller makes releases of Helm.
	if n := text(labels, "helm.toolkit.fluxcd.io/name"); n != "" {
		return of("Flux", "HelmRelease %s/%s", text(labels, "helm.toolkit.fluxcd.io/namespace"), n)
	}
	if n := text(labels, "kustomize.toolkit.fluxcd.io/name"); n != "" {
		return of("Flux", "Kustomization %s/%s", text(labels, "kustomize.toolkit.fluxcd.io/namespace"), n)
	}
	if id := text(annotations, "argocd.argoproj.io/tracking-id"); id != "" {
		app, _, _ := strings.Cut(id, ":")
		return of("ArgoCD", "Application %s", app)
	}
	if app := text(labels, "argocd.argoproj.io/instance"); app != "" {
		return of("ArgoCD", "Application %s", app)
	}
	if text(labels, "app.kubernetes.io/managed-by") == "Helm" && text(annotations, "meta.helm.sh/release-name") != "" {
		return of("Helm", "release %s/%s", text(annotations, "meta.helm.sh/release-namespace"), text(annotations, "meta.helm.sh/release-name"))
	}
	return byFields(meta)
}

// byFields tells it by who owns fields, for objects that carry no name of their source.
func byFields(meta map[string]any) *v1alpha1.Manager {
	list, _ := meta["managedFields"].([]any)
	for _, entry := range list {
		entry, _ := entry.(map[string]any)
		if text(entry, "subresource") != "" {
			continue
		}
		switch text(entry, "manager") {
		case "argocd-controller", "argocd-application-controller":
			return &v1alpha1.Manager{Tool: "ArgoCD"}
		case "kustomize-controller", "helm-controller":
			return &v1alpha1.Manager{Tool: "Flux"}
		}
	}
	return nil
}

// patchesManaged reports whether a policy or the object itself wants objects that tools keep to be patched all the same.
func patchesManaged(r *engine.Rule, object map[string]any) bool {
	annotations, _ := metadata(object)["annotations"].(map[string]any)
	value := text(annotations, v1alpha1.AnnotationManaged)
	if value == "" {
		value = r.Policy.Annotations[v1alpha1.AnnotationManaged]
	}
	return value == "patch"
}

// managed puts the source in the way of a patch.
func (f *finding) managed(object map[string]any) *v1alpha1.Manager {
	m := ManagerOf(object)
	if m == nil || f.obstacle != nil || patchesManaged(f.decision.Rule, object) {
		return m
	}
	where := m.Tool
	if m.Source != "" {
		where += " " + m.Source
	}
	f.block(v1alpha1.ManagedElsewhere, fmt.Sprintf("%s keeps this object: make the change there, or annotate the object with %s: patch", where, v1alpha1.AnnotationManaged))
	return m
}
