package certs

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func newTestFiles(t *testing.T, dir string, names ...string) *Rotator {
	t.Helper()
	r, err := NewFiles(FilesOptions{Dir: dir, Names: names})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFilesOutliveTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "certs")
	first := newTestFiles(t, dir, "127.0.0.1")
	second := newTestFiles(t, dir, "127.0.0.1")
	if string(first.CABundle()) != string(second.CABundle()) || !first.last.leaf.cert.Equal(second.last.leaf.cert) {
		t.Error("a second process made new certificates")
	}
	third := newTestFiles(t, dir, "192.0.2.1")
	if string(third.CABundle()) != string(first.CABundle()) {
		t.Error("another address needs another certificate, not another CA")
	}
	if err := handshake(third.TLSConfig(), first.CABundle(), "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

func TestKeysAreForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	newTestFiles(t, dir, "127.0.0.1")
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %o", info.Mode().Perm())
	}
	var names []string
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", entry.Name(), info.Mode().Perm())
		}
		names = append(names, entry.Name())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 4 { // no temporary file remains either
		t.Errorf("there are %v", names)
	}
}

// The process may end between any two writes of a step. The next one always comes to certificates that are
// good, and takes the CA over wherever its certificate and its key are both there.
func TestAProcessThatEndsWhileWriting(t *testing.T) {
	dir := t.TempDir()
	before := newTestFiles(t, dir, "127.0.0.1")
	i := &before.issuer
	staged, err := i.perform(stage, before.last, before.last.leaf.issued())
	if err != nil {
		t.Fatal(err)
	}
	promoted, err := i.perform(promote, staged, before.last.leaf.issued())
	if err != nil {
		t.Fatal(err)
	}
	states := []*state{before.last, staged, promoted}
	for n := range len(states) - 1 {
		from, err := states[n].encode()
		if err != nil {
			t.Fatal(err)
		}
		to, err := states[n+1].encode()
		if err != nil {
			t.Fatal(err)
		}
		for written := range stateFiles {
			mixed := map[string][]byte{}
			for j, name := range stateFiles {
				source := from
				if j <= written {
					source = to
				}
				if text, ok := source[name]; ok {
					mixed[name] = text
				}
			}
			store := &fileStore{dir: t.TempDir()}
			if err := store.save(t.Context(), mixed); err != nil {
				t.Fatal(err)
			}
			r := newTestFiles(t, store.dir, "127.0.0.1")
			if err := handshake(r.TLSConfig(), r.CABundle(), "127.0.0.1"); err != nil {
				t.Errorf("step %d, ended after %s: %v", n+1, stateFiles[written], err)
			}
		}
	}
}

func TestADirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := NewFiles(FilesOptions{Dir: filepath.Join(file, "certs"), Names: []string{host}})
	if err != nil {
		t.Fatal(err)
	}
	want := "reading the certificates from directory " + file + "/certs: open " + file + "/certs/next.crt: not a directory"
	if _, err := r.settle(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v, expected %s", err, want)
	}
}
