// Command demo starts a control plane and Holdfast, and tells on the terminal what Holdfast does to whom, with the real
// answers of the API server. It ends by itself: with 0 when each answer was as it should be, else with 1 and the end of
// Holdfast's log. With KEEP=1 in the environment it leaves both running until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// patience bounds the whole story, which takes half a minute, without what is built before it.
const patience = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	then := endAtOnce
	if os.Getenv("KEEP") == "1" {
		then = keepRunning
	}
	if err := run(ctx, newScreen(os.Stdout), then); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// ending is what to do when the story is told.
type ending int

const (
	endAtOnce ending = iota
	keepRunning
)

// run builds, starts, tells and clears away.
func run(ctx context.Context, out *screen, then ending) (err error) {
	out.chapter("Build and start a control plane, and Holdfast")
	binary, err := controlplane.Builder{}.Holdfast(ctx)
	if err != nil {
		return err
	}
	kubectl, err := controlplane.Tool(ctx, "kubectl")
	if err != nil {
		return err
	}
	cp, err := controlplane.Start(ctx, controlplane.Options{Components: controlplane.Everything()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	dir, err := os.MkdirTemp("", "holdfast-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	s, err := newStory(cp, out, binary, kubectl, dir)
	if err != nil {
		return err
	}
	defer s.close()
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.tell(bounded); err != nil {
		return errors.Join(err, s.logTail())
	}
	if then == keepRunning {
		return s.keep(ctx)
	}
	return s.end(bounded)
}
