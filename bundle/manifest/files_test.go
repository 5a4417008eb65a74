package manifest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// folder writes files below a new folder and makes it the working directory.
func folder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, files []File) []string {
	t.Helper()
	var out []string
	for _, f := range files {
		data, err := f.Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		mark := ""
		if f.Walked {
			mark = " walked"
		}
		out = append(out, f.Name+mark+": "+string(data))
	}
	return out
}

func TestFind(t *testing.T) {
	folder(t, map[string]string{
		"a/z.yaml": "z", "a/b/y.yml": "y", "a/b/x.json": "x", "a/readme.md": "", "a/.git/w.yaml": "", "v.txt": "v",
	})
	if err := os.Symlink("a", "link"); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		paths []string
		want  []string
	}{
		"a folder is walked in the order of names": {[]string{"a"}, []string{"a/b/x.json walked: x", "a/b/y.yml walked: y", "a/z.yaml walked: z"}},
		"a file may have any name":                 {[]string{"v.txt"}, []string{"v.txt: v"}},
		"a file is read once":                      {[]string{"a/b/../z.yaml", "a"}, []string{"a/b/../z.yaml: z", "a/b/x.json walked: x", "a/b/y.yml walked: y"}},
		"a dot is a folder":                        {[]string{"./a/."}, []string{"a/b/x.json walked: x", "a/b/y.yml walked: y", "a/z.yaml walked: z"}},
		"a link to a folder is followed":           {[]string{"link"}, []string{"link/b/x.json walked: x", "link/b/y.yml walked: y", "link/z.yaml walked: z"}},
		"a dash is standard input":                 {[]string{"-", "-"}, []string{"stdin: in"}},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := Find(tc.paths, strings.NewReader("in"))
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, files); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestFindNamesWhatIsNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Find([]string{"nowhere"}, nil)
	if want := "finding files: stat nowhere: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFindFS(t *testing.T) {
	files, err := FindFS(fstest.MapFS{"b/p.yaml": {Data: []byte("p")}, "a.json": {Data: []byte("a")}, "c.go": {}}, "shipped")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, files), []string{"shipped/a.json walked: a", "shipped/b/p.yaml walked: p"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	files, err := Find([]string{Stdin}, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files[0].Read(ctx); err == nil || err.Error() != "reading stdin: context canceled" {
		t.Errorf("got %v", err)
	}
}
