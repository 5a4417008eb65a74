package audit

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// list reads all objects of a type in pages, hands each over, and lets it go. The answer is the resource
// version to watch from.
func list(ctx context.Context, client dynamic.Interface, t Type, page int64, each func(*unstructured.Unstructured)) (string, error) {
	opts := metav1.ListOptions{Limit: page}
	restarts := 0
	for {
		items, err := client.Resource(t.Resource).List(ctx, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" && restarts < 3 {
			// The pages took longer than the server keeps history. Begin again: an object that is handed
			// over twice is judged twice, one that is left out would be called clean.
			restarts++
			opts.Continue = ""
			continue
		}
		if err != nil {
			return "", fmt.Errorf("listing %s: %w", t.label(), err)
		}
		for i := range items.Items {
			each(&items.Items[i])
		}
		if opts.Continue = items.GetContinue(); opts.Continue == "" {
			return items.GetResourceVersion(), nil
		}
	}
}

// Once lists and judges everything one time, without a watch, and hands each finding to found. The
// coverage tells what was looked at; the error joins what could not be.
func Once(ctx context.Context, opts Options, found func(Finding)) ([]Coverage, error) {
	opts.Sink = discard{}
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	snapshot := opts.Snapshots.Current()
	var problems []error
	types, err := opts.Discovery.Types(ctx)
	if err != nil {
		problems = append(problems, fmt.Errorf("finding the types that the cluster serves: %w", err))
	}
	var coverage []Coverage
	in := opts.Inputs()
	past := newHistory(&opts, newFindingMetrics())
	for _, t := range wanted(types, snapshot) {
		c := Coverage{Type: t}
		_, err := list(ctx, opts.Client, t, opts.PageSize, func(u *unstructured.Unstructured) {
			f, err := judge(ctx, snapshot, in, t, u, in.Now())
			c.Objects++
			if err != nil {
				c.Failed++
				problems = append(problems, err)
				return
			}
			c.Judged++
			past.judged(ctx, &look{object: u.Object, finding: &f, why: swept, rests: true}, snapshot)
			past.forget(subject{}) // it is one look
			found(f)
		})
		c.Listed = in.Now()
		if err != nil {
			c.Error, c.Stale = err.Error(), true
			problems = append(problems, err)
		}
		coverage = append(coverage, c)
	}
	if err == nil {
		coverage = append(coverage, unserved(types, snapshot)...)
	}
	return coverage, errors.Join(problems...)
}

type discard struct{}

func (discard) Found(Finding)                      {}
func (discard) Gone(Object)                        {}
func (discard) Listed(Type, func(uid string) bool) {}

func (discard) Audited(func(schema.GroupVersionKind) bool) {}
