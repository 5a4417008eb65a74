package scenarios

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// A workload that came past the webhook, once patched, is what the webhook would have made of it. The patches are those
// of `holdfast audit --cluster --patches`, applied by the very commands that it prints; applied twice they change
// nothing, and then nothing is found. The policies are the shipped ones that mutate.
func TestPatchesMakeOfAWorkloadWhatAdmissionWouldHaveMade(t *testing.T) {
	c := newCluster(t)
	kubectl, err := controlplane.Tool(t.Context(), "kubectl")
	if err != nil {
		t.Fatal(err)
	}
	bundle := shippedBundle(t, filepath.Join(c.dir, "bundle"), mutating)
	var namespaces, workloads []*unstructured.Unstructured
	for _, o := range readManifests(t, filepath.Join("testdata", "doors")) {
		switch o.GetKind() {
		case "Namespace":
			namespaces = append(namespaces, o)
		case "Deployment", "StatefulSet", "DaemonSet", "CronJob":
			workloads = append(workloads, o)
		}
	}
	w := &walk{cluster: c}
	w.create(t, namespaces)

	// What admission would make of them.
	p := c.serve(t, c.options(t, "holdfast", bundle))
	wanted := &walk{cluster: c, dryRun: []string{metav1.DryRunAll}}
	wanted.create(t, workloads)
	stop(t, p)

	// They come past it.
	w.create(t, workloads)
	if len(wanted.created) != len(workloads) || len(w.leftOut) > 0 {
		t.Fatalf("left out: %v %v", wanted.leftOut, w.leftOut)
	}
	sweep := []string{"--cluster", "--kubeconfig", c.KubeconfigPath(), "--bundle", bundle}
	commands := c.patchCommands(t, append(sweep, "--patches", filepath.Join(c.dir, "patches")))
	if len(commands) != len(workloads) {
		t.Errorf("%d patches for %d workloads: %v", len(commands), len(workloads), commands)
	}
	for _, command := range commands {
		for _, end := range []string{"patched", "patched (no change)"} {
			cmd := exec.CommandContext(t.Context(), kubectl, strings.Fields(command)[1:]...)
			cmd.Env = []string{"KUBECONFIG=" + c.KubeconfigPath(), "HOME=" + c.dir}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), end) {
				t.Errorf("%s: %v: %s; want it to end in %q", command, err, out, end)
			}
		}
	}
	for i := range wanted.created {
		want := wanted.created[i].kept
		have, err := wanted.created[i].client.Get(t.Context(), want.GetName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(have.GetLabels(), want.GetLabels()) || !reflect.DeepEqual(have.Object["spec"], want.Object["spec"]) {
			t.Errorf("%s: patched it is\n%v %v\nwhile admission makes of it\n%v %v", wanted.created[i].key,
				have.GetLabels(), have.Object["spec"], want.GetLabels(), want.Object["spec"])
		}
	}
	for key, outcome := range w.only(c.audited(t, sweep...)) {
		if outcome == "fail" || outcome == "error" {
			t.Errorf("after the patches: %s: %s", key, outcome)
		}
	}
}

// patchCommands runs `holdfast audit` with those arguments and gives the kubectl commands that it prints.
func (c *cluster) patchCommands(t *testing.T, args []string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, append([]string{"audit"}, args...)...)
	cmd.Env = []string{"HOME=" + c.dir, "PATH=/usr/bin:/bin"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("holdfast audit %v: %v, want exit status 1\n%s", args, err, stderr.String())
	}
	lines := strings.Split(stderr.String(), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "kubectl patch ") })
}
