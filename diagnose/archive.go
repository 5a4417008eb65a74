package diagnose

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"
)

// maxFile bounds one file, and maxFiles their number: the status of a cluster with a thousand types takes 1 MiB, and
// twenty replicas have five files each.
const (
	maxFile  = 4 << 20
	maxFiles = 500
)

// Archive is what was gathered. It is for one goroutine.
type Archive struct {
	// Name is the folder that all files are in.
	Name string
	// At is the time that files bear.
	At time.Time
	// Problems say what looks wrong, and Missing what could not be looked at.
	Problems, Missing []string

	files map[string][]byte
}

// New makes an empty archive.
func New(at time.Time) *Archive {
	return &Archive{Name: "holdfast-diagnose-" + at.UTC().Format("20060102-150405"), At: at, files: map[string][]byte{}}
}

// Add adds a file, without the secrets that it may hold. What is longer than a file may be loses its end.
func (a *Archive) Add(name string, content []byte) {
	if len(a.files) >= maxFiles {
		a.Missed(name, errors.New("there are too many files"))
		return
	}
	if len(content) > maxFile {
		a.Missed("the end of "+name, fmt.Errorf("it has %d bytes", len(content)))
		content = content[:maxFile]
	}
	a.files[name] = scrub(content)
}

// Found says what looks wrong. It may name objects, and text that they hold.
func (a *Archive) Found(format string, args ...any) {
	problem := string(scrub([]byte(fmt.Sprintf(format, args...))))
	if !slices.Contains(a.Problems, problem) {
		a.Problems = append(a.Problems, problem)
	}
}

// Missed says what could not be looked at.
func (a *Archive) Missed(what string, err error) {
	a.Missing = append(a.Missing, string(scrub([]byte(what+": "+err.Error()))))
}

// Files are the names of the files, sorted.
func (a *Archive) Files() []string { return slices.Sorted(maps.Keys(a.files)) }

// File is the content of a file; nil if there is none.
func (a *Archive) File(name string) []byte { return a.files[name] }

// Write writes the archive as a compressed tar. The same archive gives the same bytes.
func (a *Archive) Write(w io.Writer) error {
	packed := gzip.NewWriter(w)
	out := tar.NewWriter(packed)
	for _, name := range a.Files() {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: path.Join(a.Name, name), Mode: 0o600, Size: int64(len(a.files[name])), ModTime: a.At.Truncate(time.Second),
		}
		err := out.WriteHeader(header)
		if err == nil {
			_, err = out.Write(a.files[name])
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	if err := errors.Join(out.Close(), packed.Close()); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}
