// Command holdfast finds, refuses and mends what Kubernetes policies forbid, from one policy bundle: on
// files, at admission and in a running cluster. Each subcommand has a file of its own here that turns its
// flags into options of package app, which does the work.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // roots of certificates, for an image that has none
	"golang.org/x/term"

	"github.com/holdfast-io/holdfast/app"
)

func main() { os.Exit(run()) }

// run is main with its exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return int(execute(ctx, os.Args[1:], terminalIO()))
}

// terminalIO looks at what the standard streams are.
func terminalIO() app.IO {
	streams := app.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if out := int(os.Stdout.Fd()); term.IsTerminal(out) {
		if width, _, err := term.GetSize(out); err == nil {
			streams.Width = width
		}
		// Source: https://no-color.org
		if os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
			streams.Colour = app.Coloured
		}
	}
	streams.Progress = term.IsTerminal(int(os.Stderr.Fd()))
	return streams
}
