package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-io/holdfast/engine"
)

const (
	// The API server cuts warnings to 256 characters each and drops what is beyond 4096 together.
	// Source: k8s.io/apiserver/pkg/endpoints/filters/warning.go
	maxWarningRunes = 256
	maxWarnings     = 4096/maxWarningRunes - 1 // and one that tells how many there are more
	// An annotation is a line of the audit log: long enough for a sentence of the policy.
	maxAnnotationRunes = 512
)

// notes are the warnings and the audit annotations of the findings.
func (f *findings) notes() Notes {
	return Notes{Warnings: f.warnings(), Annotations: f.annotations()}
}

// warnings tell what is wrong although the write passes, and what was not evaluated.
func (f *findings) warnings() []string {
	audits := slices.DeleteFunc(slices.Clone(f.audits), func(d *engine.Decision) bool { return d.Policy.Quiet })
	count := len(f.open) + len(audits)
	if count == 0 {
		return nil
	}
	out := make([]string, 0, min(count, maxWarnings+1))
	for _, list := range [][]*engine.Decision{f.open, audits} {
		for _, d := range list {
			if len(out) == maxWarnings {
				return append(out, fmt.Sprintf("and %d more findings", count-maxWarnings))
			}
			out = append(out, warning(sentence(d)))
		}
	}
	return out
}

// warning makes a text fit for an HTTP header: one line, valid, short.
func warning(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return cut(s, maxWarningRunes)
}

// annotations tell the audit log what was decided, by the IDs of rules. What passed is left out: it would
// be most of the log.
func (f *findings) annotations() map[string]string {
	out := map[string]string{}
	for _, part := range []struct {
		verdict string
		list    []*engine.Decision
	}{{"denied", f.denials}, {"error", f.blocking}, {"error, ignored", f.open}, {"audit", f.audits}, {"", f.mutated}} {
		for _, d := range part.list {
			if len(out) == maxListed {
				break
			}
			text := d.Message
			switch {
			case part.verdict == "":
			case f.private:
				text = part.verdict
			default:
				text = part.verdict + ": " + d.Message
			}
			out[annotationKey(d.Rule.ID())] = cut(strings.ToValidUTF8(text, "\uFFFD"), maxAnnotationRunes)
		}
	}
	for _, d := range f.annotated {
		for _, key := range slices.Sorted(maps.Keys(d.Annotations)) {
			if !f.private && len(out) < 2*maxListed {
				out[annotationKey(d.Policy.ID()+"/"+key)] = cut(strings.ToValidUTF8(d.Annotations[key], "\uFFFD"), maxAnnotationRunes)
			}
		}
	}
	if f.logged() {
		out[reviewKey] = f.uid
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// reviewKey is the annotation with the uid of the review, by which our log and the API server's audit log find to each
// other: the audit log has an ID of its own that no webhook is told. The other keys have a dot in them.
const reviewKey = "uid"

// logged reports whether there is a line about the review in our log.
func (f *findings) logged() bool { return len(f.denials)+len(f.blocking)+len(f.open) > 0 }

// maxKeyLength is of the name part of a qualified name; the API server puts the webhook's name before it.
const maxKeyLength = 63

// annotationKey makes policy.rule of an ID. Where that is no name of an annotation (long, or with other
// characters than letters, digits, '-', '_' and '.') it is cut and cleaned, and a hash keeps it apart from others.
func annotationKey(id string) string {
	plain := strings.ReplaceAll(id, "/", ".")
	key := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (alphanumeric(byte(r)) || r == '-' || r == '_' || r == '.') {
			return r
		}
		return '_'
	}, plain)
	if key == plain && len(key) <= maxKeyLength && alphanumeric(key[0]) && alphanumeric(key[len(key)-1]) {
		return key
	}
	sum := sha256.Sum256([]byte(plain))
	const hashed = 8
	key = strings.TrimLeft(key, "-_.")
	key = key[:min(len(key), maxKeyLength-hashed-1)]
	if key == "" {
		key = "rule"
	}
	return key + "-" + hex.EncodeToString(sum[:])[:hashed]
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
