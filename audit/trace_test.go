package audit

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-io/holdfast/traces/tracestest"
)

func TestASweepHasATrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, policyFor("p", "Pod"))
		spans := tracestest.New()
		c.opts.Tracer = spans.Tracer()
		c.create(t, podType, "web", "a", nil)
		c.create(t, podType, "web", "b", nil)
		c.create(t, podType, "holdfast", "ours", nil)
		c.run(t)
		defer c.stop()
		const tree = " > sweep\nsweep > judge\nsweep > list\nsweep > report"
		expectText(t, "the first sweep", spans.Tree(), tree)
		_, sweeps := spans.Named("sweep")
		expectText(t, "the type", sweeps[0]["holdfast.resource"], "pods.v1")
		expectText(t, "objects, and those judged", sweeps[0]["holdfast.objects"]+" "+sweeps[0]["holdfast.judged"], "3 2")

		// One beside the watch, in which nothing has to be judged again, and one that fails.
		time.Sleep(c.opts.Resweep + time.Second)
		synctest.Wait()
		_, sweeps = spans.Named("sweep")
		if len(sweeps) != 2 {
			t.Fatalf("%d sweeps: %s", len(sweeps), spans.Tree())
		}
		expectText(t, "beside the watch", sweeps[1]["holdfast.beside_watch"]+" "+sweeps[1]["holdfast.judged"], "true 0")
		c.failing(func(string) error { return errors.New("the server is away") })
		time.Sleep(c.opts.Resweep + time.Second)
		synctest.Wait()
		ended, _ := spans.Named("sweep")
		expectText(t, "one that fails", ended[2].Status().Code.String()+" "+ended[2].Status().Description, "Error listing pods.v1: the server is away")
	})
}

func expectText(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}
