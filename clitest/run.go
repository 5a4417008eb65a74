package clitest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/manifest"
)

// Options say what is run.
type Options struct {
	// Paths are test files, and folders that are searched for files of FileName.
	Paths []string
	// FileName is what test files are called; empty means DefaultFileName.
	FileName string
	// Run keeps the cases whose policy/rule/resource it matches; nil keeps all.
	Run *regexp.Regexp
	// Parameters take the place of the values that policies have for theirs.
	Parameters map[string][]string
}

// Run runs the tests, as many files at a time as there are processors. What is wrong with a test is in the
// report; an error means that there is none.
func Run(ctx context.Context, opts Options) (*Report, error) {
	if opts.FileName == "" {
		opts.FileName = DefaultFileName
	}
	paths, err := Find(opts.Paths, opts.FileName)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no %s in %v", opts.FileName, opts.Paths)
	}
	lib, err := newLibrary(opts.Parameters)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(paths))
	folders := make([]*folder, len(paths))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range paths {
		folders[i] = &folder{dir: filepath.Dir(path), read: map[string]bool{path: true}}
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("running tests: %w", err)
			}
			files[i] = runFile(ctx, path, folders[i], lib, opts.Run)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := lib.reader.Unknown(); err != nil {
		return nil, err
	}
	report := &Report{Files: []File{}}
	read := map[string]bool{}
	for i, f := range files {
		maps.Copy(read, folders[i].read)
		if len(f.Cases) == 0 && opts.Run != nil {
			continue
		}
		report.Files = append(report.Files, f)
		for _, c := range f.Cases {
			report.Summary.add(c.Status)
		}
	}
	report.read = slices.Sorted(maps.Keys(read))
	return report, nil
}

// runFile runs the tests of one file.
func runFile(ctx context.Context, path string, dir *folder, lib *library, only *regexp.Regexp) File {
	data, err := os.ReadFile(path)
	if err != nil {
		return brokenFile(path, fmt.Errorf("reading: %w", err))
	}
	return runText(ctx, path, data, dir, lib, only)
}

func runText(ctx context.Context, path string, data []byte, dir *folder, lib *library, only *regexp.Regexp) File {
	specs, err := decode[testFile](path, data)
	if err != nil {
		return brokenFile(path, err)
	}
	out := File{Path: filepath.ToSlash(path), Cases: []Case{}}
	for i := range specs {
		t := &test{spec: &specs[i].value, folder: dir, library: lib, only: only}
		cases := t.run(ctx)
		place(cases, specs[i].document)
		out.Cases = append(out.Cases, cases...)
	}
	return out
}

// place finds where the file says what the cases want. Those that passed need no place, and finding one takes reading the
// file once more.
func place(cases []Case, in *manifest.Document) {
	for i := range cases {
		if c := &cases[i]; c.Status != Pass {
			c.Line = in.Position([]any{"results", c.result}).Line
		}
	}
}

// brokenFile is a test file that cannot be read: one case in error.
func brokenFile(path string, err error) File {
	c := Case{Status: Error, Reason: "the test file cannot be read: " + err.Error()}
	if wrong := (*bundle.Error)(nil); errors.As(err, &wrong) && len(wrong.Problems) > 0 {
		c.Line = wrong.Problems[0].Line
	}
	return File{Path: filepath.ToSlash(path), broken: true, Cases: []Case{c}}
}
