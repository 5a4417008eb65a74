package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report"
)

// writePatches writes the RFC 6902 patch of each drifted object into a file of the folder, and so what a rule
// wants of other objects: the whole object of one that is missing. It says on notes how kubectl applies each.
func writePatches(folder string, drifted []Judged, notes io.Writer) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("writing patches: %w", err)
	}
	drifted = slices.Clone(drifted)
	slices.SortStableFunc(drifted, func(a, b Judged) int { return compareResources(a.Subject.Resource, b.Subject.Resource) })
	w := patchWriter{folder: folder, used: map[string]bool{}, notes: notes}
	for _, j := range drifted {
		if len(j.Mutation.Patch) > 0 {
			if err := w.own(j); err != nil {
				return err
			}
		}
		for i := range j.Mutation.Decisions {
			for k := range j.Mutation.Decisions[i].Changes {
				if err := w.change(j, &j.Mutation.Decisions[i].Changes[k]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// patchWriter writes the files of one folder.
type patchWriter struct {
	folder string
	used   map[string]bool // file names that are taken, and changes that are written
	notes  io.Writer
}

// own writes what is to become of the judged object itself.
func (w *patchWriter) own(j Judged) error {
	secret := report.SecretPatch(j.Subject, j.Mutation.Patch)
	name, _ := metadataOf(j.Subject.Object)["name"].(string)
	return w.write(wantedFile{resource: j.Subject.Resource, content: j.Mutation.Patch, secret: secret, named: name != "", command: kubectl})
}

// change writes what is to become of another object. Several objects may want the same of it: once is enough.
func (w *patchWriter) change(j Judged, c *engine.Change) error {
	apiVersion, kind := c.Kind.ToAPIVersionAndKind()
	f := wantedFile{
		resource: report.Resource{APIVersion: apiVersion, Kind: kind, Namespace: c.Namespace, Name: c.Name},
		content:  c.Patch, secret: report.SecretChange(j.Subject, c), named: true, command: kubectl,
	}
	switch {
	case c.Action == engine.CreateObject:
		f.content, f.command = c.Object, kubectlCreate
	case len(c.Patch) == 0:
		return nil // a target that is as the rule wants it
	}
	key := string(c.Action) + " of " + f.resource.APIVersion + " " + c.String()
	if w.used[key] {
		return nil
	}
	w.used[key] = true
	return w.write(f)
}

func metadataOf(object map[string]any) map[string]any {
	meta, _ := object["metadata"].(map[string]any)
	return meta
}

func compareResources(a, b report.Resource) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind),
		strings.Compare(a.Name, b.Name), strings.Compare(a.APIVersion, b.APIVersion),
	)
}

// wantedFile is what a file says of one object.
type wantedFile struct {
	resource report.Resource
	content  any  // a patch or an object
	secret   bool // it holds values of a Secret
	named    bool // the object has a name to be found by
	command  func(r report.Resource, file string) string
}

// write writes one file and the note on it.
func (w *patchWriter) write(f wantedFile) error {
	note, err := w.file(f)
	if err == nil {
		_, err = fmt.Fprintln(w.notes, note)
	}
	if err != nil {
		return fmt.Errorf("writing the patch of %s: %w", f.resource, err)
	}
	return nil
}

func (w *patchWriter) file(f wantedFile) (note string, err error) {
	r := f.resource
	if f.secret {
		return fmt.Sprintf("no patch file for %s: it would hold values of a Secret", r), nil
	}
	raw, err := json.MarshalIndent(f.content, "", "  ")
	if err != nil {
		return "", err
	}
	base := patchName(r)
	for n := 2; w.used[base]; n++ {
		base = fmt.Sprintf("%s-%d", patchName(r), n)
	}
	w.used[base] = true
	path := filepath.Join(w.folder, base+".json")
	if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
		return "", err
	}
	switch {
	case !f.named:
		return fmt.Sprintf("%s: for %s, whose name the cluster makes up: apply it to the manifest", path, r), nil
	case strings.HasPrefix(r.Kind, "-"):
		return fmt.Sprintf("%s: for %q, which kubectl would take for an option", path, r.Kind), nil
	}
	return f.command(r, path), nil
}

// maxFileName leaves room for a suffix below the 255 bytes that file systems take.
const maxFileName = 200

// patchName is kind.group_namespace_name, made safe: names come from manifests, and a path in one must not
// lead out of the folder. A name that had to be changed ends in a hash of what it stands for.
func patchName(r report.Resource) string {
	gv, err := schema.ParseGroupVersion(r.APIVersion)
	if err != nil {
		gv.Group = r.APIVersion
	}
	parts := []string{r.Kind}
	if gv.Group != "" {
		parts[0] += "." + gv.Group
	}
	if r.Namespace != "" {
		parts = append(parts, r.Namespace)
	}
	full := strings.Join(append(parts, r.Name), "_")
	safe := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
			return c
		default:
			return '-'
		}
	}, strings.ToLower(full))
	if len(safe) <= maxFileName && safe == strings.ToLower(r.Kind)+full[len(r.Kind):] && !strings.HasPrefix(safe, ".") {
		return safe
	}
	sum := sha256.Sum256([]byte(r.APIVersion + "\x00" + full))
	return "patch-" + safe[:min(len(safe), maxFileName-20)] + "-" + hex.EncodeToString(sum[:4])
}

// kubectl is the command that applies a patch file.
func kubectl(r report.Resource, file string) string {
	target := strings.ToLower(r.Kind)
	if group, version, ok := strings.Cut(r.APIVersion, "/"); ok {
		target += "." + version + "." + group
	}
	words := []string{"kubectl", "patch", target + "/" + r.Name}
	if r.Namespace != "" {
		words = append(words, "--namespace="+r.Namespace)
	}
	return commandLine(append(words, "--type=json", "--patch-file="+file))
}

// kubectlCreate is the command that creates the object of a file.
func kubectlCreate(_ report.Resource, file string) string {
	return commandLine([]string{"kubectl", "create", "--filename=" + file})
}

func commandLine(words []string) string {
	for i, w := range words {
		words[i] = shellQuote(w)
	}
	return strings.Join(words, " ")
}

// shellQuote puts a word into single quotes if a shell would read more into it.
func shellQuote(word string) string {
	plain := word != "" && !strings.ContainsFunc(word, func(c rune) bool {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !letter && !strings.ContainsRune("-_./:=@,+", c)
	})
	if plain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
