package scenarios

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
	"github.com/holdfast-io/holdfast/e2e/serving"
)

// The way of a newcomer, from helm install to a first refused Pod and a first report, by the commands of the README as they
// stand there, and on to whole packs of policies. No container runs here: in the place of the chart's Pods the program runs beside the API server, with the
// configuration that the chart wrote. The chart's own rights have a test of theirs.
func TestANewcomerGetsThereByTheREADMEAlone(t *testing.T) {
	c := newClusterOf(t, controlplane.Options{Progress: t.Output(), Components: controlplane.Everything()})
	if _, err := c.AddNodes(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := clusterBlocks.FindAllStringSubmatch(string(text), -1)
	if len(steps) < 3 || !strings.HasPrefix(steps[0][1], "helm install ") {
		t.Fatalf("the README has %d blocks for a cluster, or does not begin with helm install", len(steps))
	}
	env := c.newcomer(t)
	var served *serving.Process
	for i, step := range steps {
		commands, prints := step[1], step[2]
		try := func(ctx context.Context) string {
			cmd := exec.CommandContext(ctx, "bash", "-c", commands)
			cmd.Dir, cmd.Env = "../..", env
			said, err := cmd.CombinedOutput() // who is refused is told so, and that is printed
			if prints == "" && err != nil || prints != "" && !asPrinted(prints, string(said)) {
				return fmt.Sprintf("%s: %v; it prints\n%s\nand not\n%s", commands, err, said, prints)
			}
			t.Logf("%s%s", commands, said)
			return ""
		}
		if strings.HasPrefix(commands, "kubectl get ") { // at which a person looks until it is there
			eventually(t, commands, try)
		} else if problem := try(t.Context()); problem != "" {
			t.Fatal(problem)
		}
		if i == 0 {
			served = c.serveForTheChart(t)
		}
	}
	stop(t, served)
	c.choosesPacks(t, env)
}

// clusterBlocks are the blocks of a document that a cluster is for, each with what it prints.
var clusterBlocks = regexp.MustCompile("(?s)\n```sh cluster\n(.*?)```\n(?:\n```\n(.*?)```\n)?")

// asPrinted compares what is printed with a document, in which ... stands for anything, and lines may be broken anew.
func asPrinted(document, said string) bool {
	one := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	pattern := strings.ReplaceAll(regexp.QuoteMeta(one(document)), regexp.QuoteMeta("..."), ".*")
	return regexp.MustCompile("^" + pattern + "$").MatchString(one(said))
}

// newcomer is the environment of somebody who has helm, kubectl and a kubeconfig.
func (c *cluster) newcomer(t *testing.T) []string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"helm", "kubectl"} {
		path, err := controlplane.Builder{Progress: t.Output()}.Tool(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "KUBECONFIG=" + c.KubeconfigPath(), "HOME=" + t.TempDir()}
}

// serveForTheChart does what the chart's Pods would do, until the test ends.
func (c *cluster) serveForTheChart(t *testing.T) *serving.Process {
	t.Helper()
	config, err := c.kube.CoreV1().ConfigMaps("holdfast").Get(t.Context(), "holdfast", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.dir, "chart.yaml")
	if err := os.WriteFile(path, []byte(config.Data["holdfast.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	options := c.options(t, "chart", "")
	options.Args = []string{"--config", path}
	return c.serve(t, options)
}
