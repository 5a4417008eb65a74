package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// entry is what the writer knows of one object.
type entry struct {
	target Target
	// parts are the findings by API version: an object that is served in several is judged in each that
	// some rule matches alone, and has one report.
	parts map[string]*part
	// written is the version of the report in the cluster, in the form of desired; empty for none.
	written string
	// busy is set while a worker writes it.
	busy bool
	// logged is the last error of this report that was told.
	logged string
	// recalled is what an earlier run wrote of how the findings came about.
	recalled recalled
}

// part is what one version of an object was found to be.
type part struct {
	// hash is of all that a reader of the report sees, without times; empty when nothing was found.
	hash string
	// results are kept until they are written; nil after that.
	results []Result
	digest  string
	at      time.Time
	// news says that it was found because something had just happened.
	news bool
}

// hashFormat changes when the same results are to be written in another form.
const hashFormat = "1"

// unknown stands for a hash that is not known: it is like no other.
const unknown = "unknown"

func newPart(t Target, digest string, results []Result, now time.Time) *part {
	if len(results) == 0 {
		return &part{}
	}
	sorted := slices.Clone(results)
	for i := range sorted {
		sorted[i].Resources = nil // the scope says it, once
	}
	sortByGravity(sorted)
	raw, err := json.Marshal(struct {
		Format  string
		Target  Target
		Results []Result
	}{hashFormat, t, sorted})
	if err != nil { // strings, booleans and maps of strings can be written
		panic(fmt.Sprintf("writing results as JSON: %v", err))
	}
	sum := sha256.Sum256(raw)
	return &part{hash: hex.EncodeToString(sum[:16]), results: sorted, digest: digest, at: now}
}

// sortByGravity puts what needs somebody first.
func sortByGravity(results []Result) {
	slices.SortStableFunc(results, func(a, b Result) int {
		if c := rank(a.Result) - rank(b.Result); c != 0 {
			return c
		}
		if c := severityRank(a.Severity) - severityRank(b.Severity); c != 0 {
			return c
		}
		return compare(a, b)
	})
}

// prune removes the parts in which nothing was found.
func (e *entry) prune() {
	maps.DeleteFunc(e.parts, func(_ string, p *part) bool { return p.hash == "" })
}

// desired is the value of the annotation AnnotationHash that the report should have: the hashes by API
// version, or empty when there should be no report.
func (e *entry) desired() string {
	var words []string
	for _, v := range slices.Sorted(maps.Keys(e.parts)) {
		if p := e.parts[v]; p.hash != "" {
			words = append(words, v+"="+p.hash)
		}
	}
	return strings.Join(words, " ")
}

// parseDesired takes the value of the annotation apart. What it cannot read, it leaves out, so that it is
// written anew.
func parseDesired(value string) map[string]*part {
	parts := map[string]*part{}
	for word := range strings.FieldsSeq(value) {
		if v, hash, ok := strings.Cut(word, "="); ok && v != "" && hash != "" {
			parts[v] = &part{hash: hash}
		}
	}
	return parts
}

// failing reports whether there is something in it that needs somebody.
func (e *entry) failing() bool {
	for _, p := range e.parts {
		if len(p.results) > 0 && rank(p.results[0].Result) <= rank(Warn) {
			return true
		}
	}
	return false
}

// lane tells before what it is to be written.
func (e *entry) lane() lane {
	for _, p := range e.parts {
		if p.news && p.results != nil {
			return news
		}
	}
	if e.failing() {
		return failing
	}
	return last
}

// release lets go of results that are written.
func (e *entry) release() {
	for v, p := range e.parts {
		if p.results != nil {
			e.parts[v] = &part{hash: p.hash}
		}
	}
}
