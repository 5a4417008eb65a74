package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// PlanOptions are what `holdfast plan` takes.
type PlanOptions struct {
	// Paths are files, folders and - for standard input. Not with Cluster.
	Paths []string
	// Bundle are the bundle's paths; none means the shipped one.
	Bundle []string
	// Packs say which of its policies are in force, and how.
	Packs PackOptions
	// Namespace is where an object in a file is taken to be that names none.
	Namespace string
	// Output is Table, JSON or YAML.
	Output Format
	// Cluster lists what is pending in a live cluster; Watch goes on as it changes.
	Cluster, Watch bool
	// Kubeconfig leads to the cluster; empty means the usual places.
	Kubeconfig string
	Version    string
}

// PlanFormats are those of a plan.
func PlanFormats() []Format { return []Format{Table, JSON, YAML} }

// Validate names the first option that cannot be.
func (o *PlanOptions) Validate() error {
	switch {
	case o.Cluster && len(o.Paths) > 0:
		return errors.New("--cluster lists what is pending there: it takes no PATH")
	case !o.Cluster && len(o.Paths) == 0:
		return errors.New("no PATH: expected files, folders or -, or --cluster")
	case o.Watch && !o.Cluster:
		return errors.New("--watch goes with --cluster")
	case o.Kubeconfig != "" && !o.Cluster:
		return errors.New("--kubeconfig goes with --cluster")
	case o.Watch && o.Output != Table:
		return errors.New("--watch writes a table")
	}
	return o.Packs.Validate()
}

// Plan shows what would be proposed for the objects of files, or what is pending in a cluster. With something to do the exit
// code is Findings.
func Plan(ctx context.Context, opts PlanOptions, streams IO) (Exit, error) {
	if opts.Cluster {
		return planCluster(ctx, opts, streams)
	}
	snapshot, _, err := load(ctx, opts.Bundle, opts.Packs, streams)
	if err != nil {
		return Failed, err
	}
	in, err := readObjects(ctx, opts.Paths, opts.Namespace, streams)
	if err != nil {
		return Failed, err
	}
	items, err := in.plan(ctx, snapshot, streams)
	if err != nil {
		return Failed, err
	}
	proposals, err := plan.Remediations(items, snapshot.Digest(), plan.DefaultStrategy())
	if err != nil {
		return Failed, err
	}
	list := make([]v1alpha1.Remediation, len(proposals))
	for i := range proposals {
		list[i] = proposals[i].Remediation
		s := &list[i].Status
		s.Mode = proposals[i].Mode
		s.Phase, s.Message, s.Targets = plan.State(&list[i].Spec.Plan)
	}
	if err := writeRemediations(list, opts.Output, streams); err != nil {
		return Failed, err
	}
	unrepaired := slices.DeleteFunc(items, func(it plan.Item) bool { return it.Worth() })
	if opts.Output == Table && len(unrepaired) > 0 {
		if err := printf(streams.Out, "%s without a known repair: holdfast audit shows them\n", count(len(unrepaired), "finding", "findings")); err != nil {
			return Failed, err
		}
	}
	exit := Clean
	if len(list) > 0 || len(unrepaired) > 0 {
		exit = Findings
	}
	for _, c := range in.coverage {
		if c.Error != "" {
			exit = Failed
			if err := printf(streams.Err, "not planned for: %s: %s\n", c.Place(), c.Error); err != nil {
				return Failed, err
			}
		}
	}
	return exit, nil
}

// plan plans for every object of the files, as many at a time as there are processors.
func (in *objectsInput) plan(ctx context.Context, snapshot *engine.Snapshot, streams IO) ([]plan.Item, error) {
	planner, err := plan.New(plan.Options{Snapshot: snapshot, Inputs: in.inputs(), Mode: v1alpha1.Enforce, Others: plan.PlanOthers})
	if err != nil {
		return nil, err
	}
	bar := newProgress(streams, "planning", len(in.objects))
	defer bar.stop()
	planned := make([][]plan.Item, len(in.objects))
	gaps := make([]error, len(in.objects))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range in.objects {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("planning: %w", err)
			}
			o := &in.objects[i]
			planned[i], gaps[i] = planner.Object(ctx, plan.Subject{
				Kind: o.request.Kind, Object: o.request.Object, Namespace: in.lookups.annotations(o.request.Namespace),
			})
			bar.step()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, err := range gaps {
		if err != nil {
			in.gap(in.objects[i].document.Start(), err.Error())
		}
	}
	return slices.Concat(planned...), nil
}

// annotations gives those of a Namespace that is among the files.
func (l fileLookups) annotations(namespace string) map[string]string {
	object := l.objects[objectKey{kind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, name: namespace}]
	out := map[string]string{}
	annotations, _ := metadataOf(object)["annotations"].(map[string]any)
	for k, v := range annotations {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// listOf is what JSON and YAML hold: what kubectl would show of the same.
func listOf(list []v1alpha1.Remediation) v1alpha1.RemediationList {
	return v1alpha1.RemediationList{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindRemediation + "List"},
		Items:    slices.Concat([]v1alpha1.Remediation{}, list),
	}
}
