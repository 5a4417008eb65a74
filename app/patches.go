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

	"github.com/holdfast-io/holdfast/report"
)

// writePatches writes the RFC 6902 patch of each drifted object into a file of the folder, and says on
// notes how kubectl applies it.
func writePatches(folder string, drifted []Judged, notes io.Writer) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("writing patches: %w", err)
	}
	drifted = slices.Clone(drifted)
	slices.SortStableFunc(drifted, func(a, b Judged) int { return compareResources(a.Subject.Resource, b.Subject.Resource) })
	used := map[string]bool{}
	for _, j := range drifted {
		note, err := writePatch(folder, j, used)
		if err == nil {
			_, err = fmt.Fprintln(notes, note)
		}
		if err != nil {
			return fmt.Errorf("writing the patch of %s: %w", j.Subject.Resource, err)
		}
	}
	return nil
}

func compareResources(a, b report.Resource) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind),
		strings.Compare(a.Name, b.Name), strings.Compare(a.APIVersion, b.APIVersion),
	)
}

// writePatch writes one patch and gives the note on it. used are the file names that are taken.
func writePatch(folder string, j Judged, used map[string]bool) (string, error) {
	r := j.Subject.Resource
	if report.SecretPatch(j.Subject, j.Mutation.Patch) {
		return fmt.Sprintf("no patch file for %s: it would hold values of a Secret", r), nil
	}
	raw, err := json.MarshalIndent(j.Mutation.Patch, "", "  ")
	if err != nil {
		return "", err
	}
	base := patchName(r)
	for n := 2; used[base]; n++ {
		base = fmt.Sprintf("%s-%d", patchName(r), n)
	}
	used[base] = true
	path := filepath.Join(folder, base+".json")
	if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
		return "", err
	}
	meta, _ := j.Subject.Object["metadata"].(map[string]any)
	switch name, _ := meta["name"].(string); {
	case name == "":
		return fmt.Sprintf("%s: for %s, whose name the cluster makes up: apply it to the manifest", path, r), nil
	case strings.HasPrefix(r.Kind, "-"):
		return fmt.Sprintf("%s: for %q, which kubectl would take for an option", path, r.Kind), nil
	}
	return kubectl(r, path), nil
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
	words = append(words, "--type=json", "--patch-file="+file)
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
