package certs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// FilesOptions say where a process outside the cluster keeps its CA and its certificate.
type FilesOptions struct {
	// Dir is made when it is not there, for its owner alone. Required.
	Dir string
	// Names are the host names and IP addresses by which API servers reach the webhook. Required.
	Names     []string
	Lifetimes Lifetimes
	// Logger default: nothing is written.
	Logger *slog.Logger
	// Metrics is where holdfast_certificate_expiry_seconds is registered. Default: nowhere.
	Metrics prometheus.Registerer
}

// NewFiles makes a Rotator whose state is in files, named as the keys of the Secret. One process uses them.
func NewFiles(o FilesOptions) (*Rotator, error) {
	if o.Dir == "" {
		return nil, errors.New("certificate options: Dir is missing")
	}
	return newRotator(&fileStore{dir: o.Dir}, rotatorOptions{names: o.Names, lifetimes: o.Lifetimes, logger: o.Logger, metrics: o.Metrics})
}

// fileStore keeps a Rotator's state in files. Each is replaced whole. Should the process end between two of
// them, certificate and key do not match, which decodeState finds: a leaf is then made anew; a CA too, and
// the process, which starts after that, tells the API servers of it before they have anything to ask.
type fileStore struct{ dir string }

func (f *fileStore) String() string { return "directory " + f.dir }

// stateFiles in the order in which they are written.
var stateFiles = [...]string{keyStaged, keyNext, keyBundle, keyCA, keyLeafKey, keyLeaf}

func (f *fileStore) load(context.Context) (map[string][]byte, error) {
	data := map[string][]byte{}
	for _, name := range stateFiles {
		text, err := os.ReadFile(filepath.Join(f.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		data[name] = text
	}
	if len(data) == 0 {
		return nil, nil
	}
	return data, nil
}

func (f *fileStore) save(_ context.Context, data map[string][]byte) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	for _, name := range stateFiles {
		path := filepath.Join(f.dir, name)
		text, ok := data[name]
		if !ok {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err := replaceFile(path, text); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile puts the text in the file's place at once, readable by the owner alone.
func replaceFile(path string, text []byte) (err error) {
	if old, err := os.ReadFile(path); err == nil && slices.Equal(old, text) {
		return nil
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	if _, err := temp.Write(text); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err := temp.Sync(); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("putting %s in its place: %w", filepath.Base(path), err)
	}
	return nil
}

// watch has nothing to wait for: the files have one writer.
func (f *fileStore) watch(ctx context.Context, _ func()) { <-ctx.Done() }
