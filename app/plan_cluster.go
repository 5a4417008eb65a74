package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// userKubeconfig is the file that leads to the cluster: the one that is named, or the usual one.
func userKubeconfig(named string) string {
	if named != "" {
		return named
	}
	return clientcmd.NewDefaultClientConfigLoadingRules().GetDefaultFilename()
}

// planCluster lists the Remediations of a cluster that have not ended.
func planCluster(ctx context.Context, opts PlanOptions, streams IO) (Exit, error) {
	clients, err := connect(userKubeconfig(opts.Kubeconfig), opts.Version, streams.Log)
	if err != nil {
		return Failed, err
	}
	defer clients.close()
	list, version, err := remediations(ctx, clients.dynamic, pending)
	if err != nil {
		return Failed, err
	}
	if err := writeRemediations(list, opts.Output, streams); err != nil {
		return Failed, err
	}
	if opts.Watch {
		return watchPlans(ctx, clients.dynamic, version, streams)
	}
	if len(list) > 0 {
		return Findings, nil
	}
	return Clean, nil
}

// pageOfPlans is how many Remediations are asked for at a time: each may have a megabyte.
const pageOfPlans = 20

// pending reports whether a Remediation has not ended.
func pending(r *v1alpha1.Remediation) bool { return !r.Status.Phase.Ended() }

// remediations lists those that are such, by their names, and the resourceVersion of the list.
func remediations(ctx context.Context, client dynamic.Interface, such func(*v1alpha1.Remediation) bool) (list []v1alpha1.Remediation, version string, err error) {
	page := metav1.ListOptions{Limit: pageOfPlans}
	for {
		got, err := client.Resource(v1alpha1.Remediations()).List(ctx, page)
		if err != nil {
			return nil, "", fmt.Errorf("listing Remediations: %w", err)
		}
		for i := range got.Items {
			r, err := remediationOf(got.Items[i].Object)
			if err != nil {
				return nil, "", err
			}
			if such(r) {
				list = append(list, *r)
			}
		}
		if page.Continue = got.GetContinue(); page.Continue == "" {
			slices.SortFunc(list, func(a, b v1alpha1.Remediation) int { return strings.Compare(a.Name, b.Name) })
			return list, got.GetResourceVersion(), nil
		}
	}
}

// watchPlans writes each Remediation as it changes, until the context ends.
func watchPlans(ctx context.Context, client dynamic.Interface, version string, streams IO) (Exit, error) {
	p := planPrinter{printer{w: streams.Out}, streams.Colour}
	for ctx.Err() == nil {
		w, err := client.Resource(v1alpha1.Remediations()).Watch(ctx, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
		if err != nil {
			if ctx.Err() != nil {
				return Clean, nil
			}
			return Failed, fmt.Errorf("watching Remediations: %w", err)
		}
		for event := range w.ResultChan() {
			u, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				return Failed, fmt.Errorf("watching Remediations: the watch has ended: %v", event.Object)
			}
			version = u.GetResourceVersion()
			if event.Type != "ADDED" && event.Type != "MODIFIED" {
				continue
			}
			r, err := remediationOf(u.Object)
			if err != nil {
				return Failed, err
			}
			if r.Status.Phase == "" {
				continue // its status follows
			}
			if p.remediation(r); p.err != nil {
				return Failed, p.err
			}
		}
	}
	return Clean, nil
}
