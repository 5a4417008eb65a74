package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// MaxFileBytes bounds one file. A cluster of 50,000 objects, written by kubectl get -o yaml at 4 kB each,
// is 200 MB; what is larger is refused instead of filling the memory.
const MaxFileBytes = 256 << 20

// Stdin is the path that means standard input.
const Stdin = "-"

// File is a file to be read.
type File struct {
	// Name is shown in positions: the path as it was given, or below the folder that was given.
	Name string
	// Walked says that the file was found in a folder: it was not asked for by its name.
	Walked bool

	open func() (io.ReadCloser, error)
}

// Find lists the files of the paths in order: a file as it is, a folder with all *.yaml, *.yml and *.json
// below it in the order of their names, but for those in folders whose name begins with a dot. The path -
// is standard input. A file that is reached twice is listed once.
func Find(paths []string, stdin io.Reader) ([]File, error) {
	var files []File
	seen := map[string]bool{}
	add := func(name string, walked bool) {
		key := name
		if abs, err := filepath.Abs(name); err == nil {
			key = abs
		}
		if !seen[key] {
			seen[key] = true
			files = append(files, File{name, walked, func() (io.ReadCloser, error) { return os.Open(name) }})
		}
	}
	for _, root := range paths {
		if root == Stdin {
			if !seen[Stdin] {
				seen[Stdin] = true
				files = append(files, File{"stdin", false, func() (io.ReadCloser, error) { return io.NopCloser(stdin), nil }})
			}
			continue
		}
		info, err := os.Stat(root)
		if err != nil {
			return nil, fmt.Errorf("finding files: %w", err)
		}
		if !info.IsDir() {
			add(root, false)
			continue
		}
		// The slash makes a link to a folder be walked like the folder.
		err = filepath.WalkDir(root+string(filepath.Separator), func(name string, d fs.DirEntry, err error) error {
			return visit(name, d, err, func() { add(filepath.Clean(name), true) })
		})
		if err != nil {
			return nil, fmt.Errorf("finding files in %s: %w", root, err)
		}
	}
	return files, nil
}

// FindFS lists the files of a file system as Find does those of a folder. Their names begin with the given
// one.
func FindFS(fsys fs.FS, name string) ([]File, error) {
	var files []File
	err := fs.WalkDir(fsys, ".", func(at string, d fs.DirEntry, err error) error {
		return visit(at, d, err, func() {
			files = append(files, File{path.Join(name, at), true, func() (io.ReadCloser, error) { return fsys.Open(at) }})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("finding files in %s: %w", name, err)
	}
	return files, nil
}

// visit decides on one entry of a folder.
func visit(name string, d fs.DirEntry, err error, add func()) error {
	switch {
	case err != nil:
		return err
	case d.IsDir():
		if base := d.Name(); len(base) > 1 && strings.HasPrefix(base, ".") && base != ".." {
			return fs.SkipDir
		}
	case isManifest(name):
		add()
	}
	return nil
}

func isManifest(name string) bool {
	switch path.Ext(filepath.ToSlash(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// Read reads the file.
func (f *File) Read(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Name, err)
	}
	r, err := f.open()
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err) // it names the file
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxFileBytes+1))
	err = errors.Join(err, r.Close())
	if err == nil && len(data) > MaxFileBytes {
		err = fmt.Errorf("is larger than %d MiB", MaxFileBytes>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Name, err)
	}
	return data, nil
}
