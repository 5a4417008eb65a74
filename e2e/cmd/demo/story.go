package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
	"github.com/holdfast-io/holdfast/e2e/serving"
)

// files are the policies and the manifests of the story.
//
//go:embed story
var files embed.FS

// story is what happens between one user, a cluster and Holdfast.
type story struct {
	*screen
	cp      *controlplane.ControlPlane
	client  dynamic.Interface
	kubectl string // path
	dir     string
	options serving.Options
	serve   *serving.Process // nil while it is off
}

func newStory(cp *controlplane.ControlPlane, out *screen, binary, kubectl, dir string) (*story, error) {
	embedded, err := fs.Sub(files, "story")
	if err == nil {
		err = os.CopyFS(dir, embedded)
	}
	if err != nil {
		return nil, fmt.Errorf("write the demo's files: %w", err)
	}
	s := &story{screen: out, cp: cp, kubectl: kubectl, dir: dir, options: serving.Options{
		Binary: binary, Kubeconfig: cp.KubeconfigPath(), Bundle: filepath.Join(dir, "bundle"),
		StateDir: filepath.Join(dir, "state"), LogPath: filepath.Join(dir, "holdfast.log"),
	}}
	for _, port := range []*int{&s.options.Port, &s.options.MetricsPort} {
		if *port, err = cp.FreePort(); err != nil {
			return nil, err
		}
	}
	if s.client, err = dynamic.NewForConfig(cp.RESTConfig()); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return s, nil
}

// close kills Holdfast, if it still runs.
func (s *story) close() {
	if s.serve != nil {
		s.serve.Kill()
	}
}

// logTail is the end of Holdfast's log, as an error to be joined to the one that ends the demo.
func (s *story) logTail() error {
	if s.serve == nil {
		return nil
	}
	return errors.New("holdfast's log:\n" + s.serve.LogTail())
}

// tell tells the chapters in order, until one comes out as it should not.
func (s *story) tell(ctx context.Context) error {
	for _, chapter := range []func(context.Context) error{
		s.begin, s.refusal, s.mutation, s.driftWhileOff, s.remedy, s.driftWhileOn,
	} {
		if err := chapter(ctx); err != nil {
			return fmt.Errorf("chapter %d: %w", s.number, err)
		}
	}
	return nil
}

func (s *story) begin(ctx context.Context) error {
	if _, err := s.cp.AddNodes(ctx, 1); err != nil {
		return err
	}
	s.say("Three policies: privileged containers are refused (Enforce), the tag latest is reported (Audit),")
	s.say("and a Deployment without the label owner gets one (mutate).")
	if err := s.start(ctx); err != nil {
		return err
	}
	out, err := s.run(ctx, "create", "namespace", "shop")
	return s.expect(out, err, "namespace/shop created")
}

// start starts Holdfast and waits until it is ready.
func (s *story) start(ctx context.Context) error {
	s.command(s.options.CommandLine())
	began := time.Now()
	serve, err := serving.Start(ctx, s.options)
	if err != nil {
		return err
	}
	s.serve = serve
	s.good("ready after %s", seconds(time.Since(began)))
	return nil
}

func (s *story) stop(ctx context.Context) error {
	serve := s.serve
	s.serve = nil
	return serve.Stop(ctx)
}

func (s *story) refusal(ctx context.Context) error {
	s.chapter("A bad Pod is refused, with the policy's message")
	if err := s.show("bad-pod.yaml"); err != nil {
		return err
	}
	out, err := s.run(ctx, "apply", "-f", "bad-pod.yaml")
	if err == nil {
		return errors.New("the Pod was admitted")
	}
	if err := s.contains(out, "denied the request: policy no-privileged-containers, rule privileged: A privileged container is root on its node."); err != nil {
		return err
	}
	s.good("refused")
	return nil
}

func (s *story) mutation(ctx context.Context) error {
	s.chapter("A Deployment is completed when it is created")
	if err := s.show("cart.yaml"); err != nil {
		return err
	}
	out, err := s.run(ctx, "apply", "-f", "cart.yaml")
	if err := s.expect(out, err, "deployment.apps/cart created"); err != nil {
		return err
	}
	out, err = s.run(ctx, "get", "deployment", "cart", "-n", "shop", "--show-labels")
	if err := s.expect(out, err, "owner=platform-team"); err != nil {
		return err
	}
	s.good("the label owner=platform-team is not in the file: Holdfast added it")
	out, err = s.run(ctx, "rollout", "status", "deployment/cart", "-n", "shop", "--timeout=60s")
	return s.expect(out, err, "successfully rolled out")
}

func (s *story) driftWhileOff(ctx context.Context) error {
	s.chapter("Drift: things happen while Holdfast is off")
	s.say("Holdfast stops, and takes its webhooks along.")
	if err := s.stop(ctx); err != nil {
		return err
	}
	out, err := s.run(ctx, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations")
	if err := s.expect(out, err, "No resources found"); err != nil {
		return err
	}
	out, err = s.run(ctx, "apply", "-f", "checkout.yaml")
	if err := s.expect(out, err, "deployment.apps/checkout created"); err != nil {
		return err
	}
	out, err = s.run(ctx, "apply", "-f", "bad-pod.yaml")
	if err := s.expect(out, err, "pod/miner created"); err != nil {
		return err
	}
	s.say("A Deployment without an owner, and the Pod that was refused. Holdfast starts again.")
	began := time.Now()
	if err := s.start(ctx); err != nil {
		return err
	}
	for _, drifted := range []finding{{"Deployment", "checkout", "default-owner"}, {"Pod", "miner", "no-privileged-containers"}} {
		if _, err := s.awaitResult(ctx, drifted, "fail"); err != nil {
			return err
		}
		s.good("%s %s: reported against %s %s after the process was started", drifted.kind, drifted.name, drifted.policy, seconds(time.Since(began)))
	}
	return nil
}

// checkout is the finding whose patch the story applies.
var checkout = finding{"Deployment", "checkout", "default-owner"}

func (s *story) remedy(ctx context.Context) error {
	s.chapter("The report holds the patch; the patch makes the report clean")
	found, err := s.awaitResult(ctx, checkout, "fail")
	if err != nil {
		return err
	}
	out, err := s.run(ctx, "get", "policyreports", "-n", "shop")
	if err := s.expect(out, err, found.report); err != nil {
		return err
	}
	const path = `jsonpath={range .results[?(@.policy=="default-owner")]}{.result}{": "}{.message}{"\n"}{.properties.patch}{"\n"}{end}`
	out, err = s.run(ctx, "get", "policyreport", found.report, "-n", "shop", "-o", path)
	if err := s.expect(out, err, found.patch); err != nil {
		return err
	}
	return s.applyPatch(ctx, checkout, found)
}

// applyPatch applies the patch of a finding as a person would, and waits for the report to be clean.
func (s *story) applyPatch(ctx context.Context, f finding, found reported) error {
	if found.patch == "" {
		return fmt.Errorf("the finding on %s %s has no patch", f.kind, f.name)
	}
	target := strings.ToLower(f.kind) + "/" + f.name
	began := time.Now()
	out, err := s.run(ctx, "patch", target, "-n", "shop", "--type=json", "-p", found.patch)
	if err := s.expect(out, err, "deployment.apps/"+f.name+" patched"); err != nil {
		return err
	}
	answered := time.Since(began)
	if _, err := s.awaitResult(ctx, f, "clean"); err != nil {
		return err
	}
	took := time.Since(began)
	out, err = s.run(ctx, "get", "policyreport", found.report, "-n", "shop")
	if err := s.expect(out, err, found.report); err != nil {
		return err
	}
	s.good("the report was clean %s after the command began, of which kubectl took %s", seconds(took), seconds(answered))
	return nil
}

func (s *story) driftWhileOn(ctx context.Context) error {
	s.chapter("Drift that no webhook sees, while Holdfast runs")
	s.say("default-owner asks to see Deployments only when they are created. This is an edit:")
	began := time.Now()
	out, err := s.run(ctx, "label", "deployment/cart", "-n", "shop", "owner-")
	if err := s.expect(out, err, "deployment.apps/cart unlabeled"); err != nil {
		return err
	}
	answered := time.Since(began)
	cart := finding{"Deployment", "cart", "default-owner"}
	found, err := s.awaitResult(ctx, cart, "fail")
	if err != nil {
		return err
	}
	s.good("reported %s after the command began, of which kubectl took %s", seconds(time.Since(began)), seconds(answered))
	return s.applyPatch(ctx, cart, found)
}

// end stops Holdfast in order.
func (s *story) end(ctx context.Context) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	s.line(bold, "")
	s.line(bold, "That was Holdfast. KEEP=1 leaves it running, to try more.")
	return nil
}

// keep leaves everything running until Ctrl-C, or until something dies.
func (s *story) keep(ctx context.Context) error {
	s.line(bold, "")
	s.line(bold, "Everything goes on running. In another terminal:")
	s.say("export KUBECONFIG=%s", s.cp.KubeconfigPath())
	s.say("%s get policyreports -A", s.kubectl)
	s.say("policies: %s   log: %s", s.options.Bundle, s.options.LogPath)
	s.say("Ctrl-C here stops it all and clears it away.")
	select {
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return s.stop(ending)
	case <-s.cp.Died():
		return s.cp.Err()
	case <-s.serve.Ended():
		return errors.Join(errors.New("holdfast ended"), s.logTail())
	}
}
