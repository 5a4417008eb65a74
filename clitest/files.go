package clitest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-io/holdfast/bundle/manifest"
)

// DefaultFileName is what test files are called.
const DefaultFileName = "kyverno-test.yaml"

// Find lists the test files of the paths: a file as it is, a folder with all files of the name below it, in
// the order of their names. Folders whose name begins with a dot are searched too, since test files are
// often kept in them; only Git's own is not.
func Find(paths []string, fileName string) ([]string, error) {
	var found []string
	seen := map[string]bool{}
	add := func(name string) {
		if name = filepath.Clean(name); !seen[name] {
			seen[name] = true
			found = append(found, name)
		}
	}
	for _, root := range paths {
		info, err := os.Stat(root)
		if err != nil {
			return nil, fmt.Errorf("finding test files: %w", err)
		}
		if !info.IsDir() {
			add(root)
			continue
		}
		err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == ".git":
				return fs.SkipDir
			case !d.IsDir() && d.Name() == fileName:
				add(name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("finding test files in %s: %w", root, err)
		}
	}
	return found, nil
}

// needsNetwork is the reason for which a test, or a case of it, is skipped that names what only a network could
// tell.
type needsNetwork struct{ what string }

func (e *needsNetwork) Error() string { return "needs " + e.what }

// folder reads the files that a test names, relative to its own.
type folder struct {
	dir  string
	read map[string]bool // all that was asked for, for --watch
}

// text reads one file.
func (f *folder) text(ctx context.Context, name string) (path string, data []byte, err error) {
	if isURL(name) {
		return name, nil, &needsNetwork{"the network for " + name}
	}
	path = filepath.Join(f.dir, name)
	f.read[path] = true
	files, err := manifest.Find([]string{path}, nil)
	if err != nil {
		return path, nil, err
	}
	if len(files) != 1 || files[0].Walked {
		return path, nil, fmt.Errorf("reading %s: is a folder: expected a file", path)
	}
	data, err = files[0].Read(ctx)
	return path, data, err
}

// has reports whether there is such a file.
func (f *folder) has(ctx context.Context, name string) bool {
	_, _, err := f.text(ctx, name)
	return !errors.Is(err, fs.ErrNotExist)
}

// texts reads files, and those of folders, in order.
func (f *folder) texts(ctx context.Context, names []string, each func(path string, data []byte) error) error {
	for _, name := range names {
		if isURL(name) {
			return &needsNetwork{"the network for " + name}
		}
		path := filepath.Join(f.dir, name)
		f.read[path] = true
		files, err := manifest.Find([]string{path}, nil)
		if err != nil {
			return err
		}
		for i := range files {
			f.read[files[i].Name] = true
			data, err := files[i].Read(ctx)
			if err != nil {
				return err
			}
			if err := each(files[i].Name, data); err != nil {
				return err
			}
		}
	}
	return nil
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "git@")
}
