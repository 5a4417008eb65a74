// Command controlplane starts a control plane by hand, prints the path of its kubeconfig and stops it at Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(2)
	}
}

// run prints what was asked for to stdout, and everything about the way there to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("controlplane", flag.ContinueOnError)
	flags.SetOutput(stderr)
	components := flags.String("components", "all", "run these beside etcd and kube-apiserver: `names` with commas between, all, or nothing")
	nodes := flags.Int("nodes", 3, "add so `many` nodes, where kwok runs")
	dir := flags.String("dir", "", "keep data and logs in this empty `directory` (default one in the cache, which is removed)")
	audit := flags.Bool("audit", false, "write an audit log")
	buildOnly := flags.Bool("build-only", false, "build the components and exit")
	tool := flags.String("tool", "", "build this `program`, kubectl or helm for example, print its path and exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *tool != "" {
		path, err := controlplane.Builder{Progress: stderr}.Tool(ctx, *tool)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, path)
		return err
	}
	chosen, err := controlplane.ParseComponents(*components)
	if err != nil {
		return fmt.Errorf("-components: %w", err)
	}
	options := controlplane.Options{Components: chosen, Dir: *dir, Progress: stderr}
	if *audit {
		options.AuditPolicy = controlplane.AuditRequests
	}
	if *buildOnly {
		return controlplane.Build(ctx, options)
	}
	cp, err := controlplane.Start(ctx, options)
	if err != nil {
		return err
	}
	// Stop's error tells of the components that died.
	return errors.Join(serve(ctx, cp, *nodes, stdout, stderr), cp.Stop())
}

// serve lets the control plane run until ctx is done or a component dies.
func serve(ctx context.Context, cp *controlplane.ControlPlane, nodes int, stdout, stderr io.Writer) error {
	if cp.Runs(controlplane.Kwok) {
		if _, err := cp.AddNodes(ctx, nodes); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(stdout, cp.KubeconfigPath()); err != nil {
		return fmt.Errorf("print the path of the kubeconfig: %w", err)
	}
	if _, err := fmt.Fprintln(stderr, "Ctrl-C stops the control plane."); err != nil {
		return fmt.Errorf("print how to stop: %w", err)
	}
	select {
	case <-ctx.Done():
	case <-cp.Died():
	}
	return nil
}
