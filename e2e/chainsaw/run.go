package chainsaw

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// Runner runs tests against one cluster, one after the other.
type Runner struct {
	Client dynamic.Interface
	// Types finds the resource of a kind.
	Types Types
	// Kubeconfig and Path (folders with kubectl, divided by colons) are for scripts.
	Kubeconfig, Path string
	// StandIns has types that a test only asserts be made, without a schema.
	StandIns bool
	// Patience bounds each operation that names no timeout of its own. Default: 10 s.
	Patience time.Duration
	// Interval is how often an assertion looks. Default: 50 ms.
	Interval time.Duration

	runs int
}

// run is one test on its way.
type run struct {
	*Runner
	test      *Test
	namespace string // of objects that name none
	scripts   string // where scripts run: a copy of the test's folder
	made      []made // what is deleted at the end
}

// Run runs one test. The error says which operation failed, and why.
func (r *Runner) Run(ctx context.Context, test *Test) error {
	if r.Patience == 0 {
		r.Patience = 10 * time.Second
	}
	if r.Interval == 0 {
		r.Interval = 50 * time.Millisecond
	}
	r.runs++
	one := &run{Runner: r, test: test, namespace: fmt.Sprintf("chainsaw-%d", r.runs)}
	var err error
	if one.scripts, err = one.copyFiles(); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(one.scripts) }() // a folder of the system's temporary ones
	defer one.cleanUp(context.WithoutCancel(ctx))
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": one.namespace}}}
	if err := one.create(ctx, namespace); err != nil {
		return fmt.Errorf("make the namespace of the test: %w", err)
	}
	for i := range test.Steps {
		if err := one.step(ctx, &test.Steps[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) step(ctx context.Context, step *Step) error {
	var failed error
	for i := range step.Try {
		if err := r.operation(ctx, &step.Try[i]); err != nil {
			failed = fmt.Errorf("%s, operation %d: %w", step.Name, i+1, err)
			break
		}
	}
	last := context.WithoutCancel(ctx)
	for _, o := range slices.Concat(step.Finally, step.Cleanup) {
		// What cannot be cleaned up is the next test's to trip over, and no verdict on this one.
		_ = r.operation(last, &o)
	}
	return failed
}

func (r *run) operation(ctx context.Context, o *Operation) error {
	switch {
	case o.Apply != nil:
		return r.change(ctx, "apply", o.Apply, r.apply)
	case o.Create != nil:
		return r.change(ctx, "create", o.Create, r.create)
	case o.Patch != nil:
		return r.change(ctx, "patch", o.Patch, r.patch)
	case o.Assert != nil:
		return r.watch(ctx, "assert", o.Assert, r.missing)
	case o.Error != nil:
		return r.watch(ctx, "error", o.Error, r.present)
	case o.Delete != nil:
		return r.delete(ctx, o.Delete)
	case o.Sleep != nil:
		return pause(ctx, within(o.Sleep.Duration, 0))
	case o.Script != nil:
		return r.script(ctx, o.Script)
	default:
		return fmt.Errorf("the operation %s is not understood", o.Unknown)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// change does something to each object. What it needs may be on its way, such as the account of a new namespace.
func (r *run) change(ctx context.Context, verb string, c *Change, do func(context.Context, *unstructured.Unstructured) error) error {
	refused, err := c.refused()
	if err != nil {
		return err
	}
	objects, err := r.test.objects(c)
	if err != nil {
		return err
	}
	for _, u := range objects {
		what := fmt.Sprintf("%s %s %s (%s)", verb, u.GetKind(), u.GetName(), c.File)
		if refused {
			if err := r.refusal(ctx, c, verb, u, do); err != nil {
				return fmt.Errorf("%s is not refused: %w", what, err)
			}
			continue
		}
		err := r.until(ctx, c.Timeout, 5*time.Second, func(ctx context.Context) error { return do(ctx, u.DeepCopy()) })
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// refusal says why an object is not refused. As in Chainsaw, one that is applied is applied until it is: some policies
// refuse it once it is there. Of a second time counts only what admission refuses, though. There is much that the API
// server itself lets nobody change, so that any Pod would be refused then.
func (r *run) refusal(ctx context.Context, c *Change, verb string, u *unstructured.Unstructured, do func(context.Context, *unstructured.Unstructured) error) error {
	if do(ctx, u.DeepCopy()) != nil {
		return nil
	}
	accepted := errors.New("it was accepted")
	if verb != "apply" {
		return accepted
	}
	return r.until(ctx, c.Timeout, 5*time.Second, func(ctx context.Context) error {
		switch err := do(ctx, u.DeepCopy()); {
		case err == nil:
			return accepted
		case byAdmission(err):
			return nil
		default:
			return fmt.Errorf("it was accepted, and then: %w", err)
		}
	})
}

// byAdmission reports whether an error is a refusal of a webhook or of a policy of the API server's own: it says so in
// words alone.
func byAdmission(err error) bool {
	text := err.Error()
	return strings.Contains(text, "admission webhook ") || strings.Contains(text, "AdmissionPolicy ")
}

// watch waits for each object to be as it should.
func (r *run) watch(ctx context.Context, verb string, c *Change, check func(context.Context, *unstructured.Unstructured) error) error {
	objects, err := r.test.objects(c)
	if err != nil {
		return err
	}
	for _, u := range objects {
		if rest, found := withoutRights(u.Object); found {
			u.Object = rest.(map[string]any)
		}
		if err := r.until(ctx, c.Timeout, r.Patience, func(ctx context.Context) error { return check(ctx, u) }); err != nil {
			return fmt.Errorf("%s %s %s (%s): %w", verb, u.GetKind(), u.GetName(), c.File, err)
		}
	}
	return nil
}

// until tries again until it works or the time is over, and gives the last error.
func (r *run) until(ctx context.Context, timeout string, otherwise time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within(timeout, otherwise))
	defer cancel()
	var last error // that the end of the time did not make
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if pause(ctx, r.Interval) != nil {
			return errors.Join(last, ctx.Err())
		}
	}
}
