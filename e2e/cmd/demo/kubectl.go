package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
)

// run runs kubectl as the administrator, in the story's folder, and shows the command and its answer. The error is the
// one of a command that failed; its text is in the output.
func (s *story) run(ctx context.Context, args ...string) (string, error) {
	shown := []string{"kubectl"}
	for _, a := range args {
		if strings.ContainsAny(a, " {}[]\"") {
			a = "'" + a + "'"
		}
		shown = append(shown, a)
	}
	s.command(strings.Join(shown, " "))
	cmd := exec.CommandContext(ctx, s.kubectl, args...)
	cmd.Dir = s.dir
	// Nothing of the caller's: no kubeconfig, no plug-ins, no cache in the caller's home.
	cmd.Env = []string{"KUBECONFIG=" + s.cp.KubeconfigPath(), "HOME=" + s.dir, "PATH=/usr/bin:/bin"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	s.quote(out.String())
	return out.String(), err
}

// show prints a manifest of the story.
func (s *story) show(name string) error {
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return fmt.Errorf("read a manifest of the demo: %w", err)
	}
	s.command("cat " + name)
	s.quote(string(data))
	return nil
}

// expect fails when a command failed, or does not say what it should.
func (s *story) expect(out string, err error, want string) error {
	if err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	return s.contains(out, want)
}

func (s *story) contains(out, want string) error {
	if !strings.Contains(out, want) {
		return fmt.Errorf("unexpected answer: it does not say %q", want)
	}
	return nil
}

// finding names a policy's verdict on an object in namespace shop.
type finding struct{ kind, name, policy string }

// reported is what a PolicyReport says of a finding.
type reported struct {
	report string // name
	patch  string // RFC 6902, as JSON
}

// pollInterval bounds the error of the times that the story tells.
const pollInterval = 20 * time.Millisecond

// awaitResult waits until the report on the object gives the policy that outcome; "clean" means that the report is
// there, is about the object, and holds no failure at all.
func (s *story) awaitResult(ctx context.Context, f finding, outcome string) (reported, error) {
	var out reported
	last := "no report on it"
	client := s.client.Resource(schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "policyreports"}).Namespace("shop")
	err := wait.PollUntilContextTimeout(ctx, pollInterval, time.Minute, true, func(ctx context.Context) (bool, error) {
		list, err := client.List(ctx, metav1.ListOptions{})
		if err != nil {
			last = err.Error() // the definition of reports may be on its way
			return false, nil
		}
		for i := range list.Items {
			var report struct {
				Scope   struct{ Kind, Name string }
				Summary struct{ Pass, Fail, Error int }
				Results []struct {
					Policy, Result string
					Properties     map[string]string
				}
			}
			raw, err := list.Items[i].MarshalJSON()
			if err == nil {
				err = json.Unmarshal(raw, &report)
			}
			if err != nil {
				return false, fmt.Errorf("read a report: %w", err)
			}
			if report.Scope.Kind != f.kind || report.Scope.Name != f.name {
				continue
			}
			out.report = list.Items[i].GetName()
			for _, r := range report.Results {
				if r.Policy == f.policy {
					last = "its result is " + r.Result
					out.patch = r.Properties["patch"]
					if r.Result == outcome {
						return true, nil
					}
				}
			}
			if n := report.Summary; outcome == "clean" && n.Pass > 0 && n.Fail+n.Error == 0 {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return out, fmt.Errorf("wait for %s %s to be %s by %s: %w; last seen: %s", f.kind, f.name, outcome, f.policy, err, last)
	}
	return out, nil
}
