// Command conformance runs suites of Kyverno CLI test files by `holdfast test -o json` and writes how they went
// as Markdown: by feature of the policy language, each skipped part and each failure with its reason.
//
//	conformance -holdfast ../bin/holdfast -o ../docs/conformance.md "Kyverno's CLI suite=DIR" "policy library=DIR"
//
// A suite whose folder is empty (NAME=) is said to be absent, and the document is then left as it is: numbers
// of half the suites would read as a regression.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	program := flags.String("holdfast", "../bin/holdfast", "the program that runs the tests")
	document := flags.String("o", "../docs/conformance.md", "the document to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var suites []*suite
	absent := false
	for _, arg := range flags.Args() {
		name, folder, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not a suite: expected NAME=FOLDER", arg)
		}
		if folder == "" {
			absent = true
			_, _ = fmt.Fprintf(out, "%s: absent, not run\n", name)
			continue
		}
		s, err := runSuite(ctx, *program, name, folder)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "%s: %s, in %s\n", name, s.total(), s.took.Round(time.Millisecond))
		for _, c := range s.cases {
			if c.failed() {
				_, _ = fmt.Fprintf(out, "  %s\n", c)
			}
		}
		suites = append(suites, s)
	}
	if absent {
		_, _ = fmt.Fprintf(out, "%s is left as it is\n", *document)
		return nil
	}
	if err := os.WriteFile(*document, write(suites), 0o644); err != nil {
		return fmt.Errorf("writing the document: %w", err)
	}
	return nil
}

// runSuite runs the tests of a folder.
func runSuite(ctx context.Context, program, name, folder string) (*suite, error) {
	started := time.Now()
	var answer, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "test", "-o", "json", folder)
	cmd.Stdout, cmd.Stderr = &answer, &complaint
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || answer.Len() == 0) {
		return nil, fmt.Errorf("running the tests of %s: %w: %s", name, err, &complaint)
	}
	var r report
	if err := json.Unmarshal(answer.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("reading the report of %s: %w", name, err)
	}
	return newSuite(name, folder, &r, time.Since(started)), nil
}
