package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/holdfast-io/holdfast/clitest"
)

// TestFileName is what test files are called if nothing else is asked for.
const TestFileName = clitest.DefaultFileName

// TestFormats are those of a test.
func TestFormats() []Format { return []Format{Table, JSON, SARIF, JUnit, GitHub, GitLab} }

// TestOptions are what `holdfast test` takes.
type TestOptions struct {
	// Paths are test files, and folders that are searched for files of FileName.
	Paths    []string
	FileName string
	Output   Format
	// OnlyFailed leaves out of the answer what passed or was skipped.
	OnlyFailed bool
	// Run is a regular expression over policy/rule/resource; empty runs all cases.
	Run string
	// Parameters are values of policies' parameters as NAME=VALUE, in the place of their own.
	Parameters []string
	// Watch runs the tests again whenever one of their files changes, until the context ends.
	Watch bool
	// Version of the program, for formats that name the tool.
	Version string
}

// Validate names the first option that cannot be.
func (o *TestOptions) Validate() error {
	if len(o.Paths) == 0 {
		return errors.New("nothing to test: expected test files, or folders with " + TestFileName)
	}
	if _, err := regexp.Compile(o.Run); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	_, err := parseParameters(o.Parameters)
	return err
}

// Test runs test files and writes how they went. Failed tests make the exit code Findings, test files that
// cannot be read Failed.
func Test(ctx context.Context, opts TestOptions, streams IO) (Exit, error) {
	if !opts.Watch {
		exit, _, err := testOnce(ctx, opts, streams)
		return exit, err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return Failed, fmt.Errorf("watching files: %w", err)
	}
	exit, err := testAgain(ctx, opts, streams, watcher)
	return exit, errors.Join(err, watcher.Close())
}

// testOnce runs the tests and lists the files that they were made of.
func testOnce(ctx context.Context, opts TestOptions, streams IO) (Exit, []string, error) {
	only, err := runExpression(opts.Run)
	if err != nil {
		return Failed, nil, err
	}
	parameters, err := parseParameters(opts.Parameters)
	if err != nil {
		return Failed, nil, err
	}
	report, err := clitest.Run(ctx, clitest.Options{Paths: opts.Paths, FileName: opts.FileName, Run: only, Parameters: parameters})
	if err != nil {
		return Failed, nil, err
	}
	shown := report
	if opts.OnlyFailed {
		shown = report.OnlyFailed()
	}
	switch opts.Output {
	case JSON:
		err = shown.WriteJSON(streams.Out)
	case JUnit:
		err = shown.WriteJUnit(streams.Out)
	case SARIF:
		err = shown.WriteSARIF(streams.Out, opts.Version)
	case GitHub:
		err = shown.WriteGitHub(streams.Out)
	case GitLab:
		err = shown.WriteGitLab(streams.Out)
	default:
		err = shown.WriteTable(streams.Out, clitest.Colour(streams.Colour))
	}
	switch {
	case err != nil:
		return Failed, report.Read(), err
	case report.Broken():
		return Failed, report.Read(), nil
	case only != nil && len(report.Files) == 0:
		// A regular expression with a slip in it must not look like tests that pass.
		return Failed, report.Read(), fmt.Errorf("no case matches --run %q", opts.Run)
	case report.Summary.Fail+report.Summary.Error > 0:
		return Findings, report.Read(), nil
	}
	return Clean, report.Read(), nil
}

func runExpression(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	only, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	return only, nil
}

// settle is how long files have to be still before the tests run again: editors write a file in several
// steps, within some milliseconds.
const settle = 100 * time.Millisecond

// clearScreen empties the terminal and goes to its top.
const clearScreen = "\x1b[2J\x1b[H"

// testAgain runs the tests, and runs them again at each change, until the context ends. The exit code is that
// of the last run.
func testAgain(ctx context.Context, opts TestOptions, streams IO, watcher *fsnotify.Watcher) (Exit, error) {
	for {
		if streams.Width > 0 {
			if err := printf(streams.Out, clearScreen); err != nil {
				return Failed, err
			}
		}
		exit, read, err := testOnce(ctx, opts, streams)
		if err != nil {
			return Failed, err
		}
		if err := watch(watcher, append(read, opts.Paths...)); err != nil {
			return Failed, err
		}
		if changed, err := awaitChange(ctx, watcher); err != nil || !changed {
			return exit, err
		}
	}
}

// watch adds the folders of files, since editors put a new file in the place of the old one.
func watch(watcher *fsnotify.Watcher, files []string) error {
	for _, name := range files {
		for _, at := range []string{name, filepath.Dir(name)} {
			// A path that is no more is told by the tests that name it.
			if err := watcher.Add(at); err != nil && at != name {
				return fmt.Errorf("watching %s: %w", at, err)
			}
		}
	}
	return nil
}

// awaitChange waits until something changes and then is still; it reports false when the context ends.
func awaitChange(ctx context.Context, watcher *fsnotify.Watcher) (bool, error) {
	still := make(<-chan time.Time)
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case event := <-watcher.Events:
			if event.Op != fsnotify.Chmod {
				still = time.After(settle)
			}
		case err := <-watcher.Errors:
			return false, fmt.Errorf("watching files: %w", err)
		case <-still:
			return true, nil
		}
	}
}
