package report

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"
)

// entry is what the writer knows of one object. There is one for each object that a report is about: what many have alike is
// kept once.
type entry struct {
	of        unique.Handle[class]
	name, uid string
	// parts are the findings by API version, in its order: an object that is served in several is judged in each that some
	// rule matches alone, and stands on one report.
	parts []part
	// sheet is the report that it stands on; nil until the reports that exist are known.
	sheet *sheet
	// recalled is what an earlier run wrote of how the findings came about, and recall that its report has not been read for
	// it yet: that is done when there is something else to write.
	recalled recalled
	recall   bool
	// judged says that something was said of it since the writer began.
	judged bool
}

// class is what an object has in common with others.
type class struct{ apiVersion, kind, namespace string }

// is says which object the entry is about, and in which version it was judged last.
func (e *entry) is(t Target) {
	e.of, e.name, e.uid = unique.Make(class{t.APIVersion, t.Kind, t.Namespace}), t.Name, t.UID
}

func (e *entry) target() Target {
	of := e.of.Value()
	return Target{APIVersion: of.apiVersion, Kind: of.kind, Namespace: of.namespace, Name: e.name, UID: e.uid}
}

// part is what one version of an object was found to be.
type part struct {
	apiVersion string
	// want is of all that a reader of the report sees, without times, and wrote of what the cluster has: zero for nothing.
	want, wrote hash
	// counts are by outcome, in the order of Statuses, whether the results are spelled out or not.
	counts [5]uint16
	// size is about what the results take in a report.
	size int32
	// fresh is what is to be written; nil once it is.
	fresh *fresh
}

// fresh are results on their way into the cluster.
type fresh struct {
	results []Result // those that are spelled out, the gravest first
	gravest Status
	// news says that it was found because something had just happened.
	news   bool
	digest string // of the bundle
	at     time.Time
}

// all are the results; none of nothing.
func (f *fresh) all() []Result {
	if f == nil {
		return nil
	}
	return f.results
}

// hash is the first half of a SHA-256.
type hash [16]byte

// unknown stands for a hash that is not known: it is like no other.
func unknown() hash { return hash{1} }

// hashFormat changes when the same results are to be written in another form.
const hashFormat = "2"

// resultOverhead is what a result takes in a report beside its own fields, in bytes: its time and its object.
const resultOverhead = 300

// newPart makes a part of results. Those that the options leave out are counted.
func (o *WriterOptions) newPart(t Target, digest string, results []Result) part {
	p := part{apiVersion: t.APIVersion}
	if len(results) == 0 {
		return p
	}
	sorted := make([]Result, 0, len(results))
	for i := range results {
		r := results[i]
		if n := &p.counts[rank(r.Result)]; *n < 1<<16-1 {
			*n++
		}
		if slices.Contains(o.Results, r.Result) {
			r.Resources = nil // the report says it once
			sorted = append(sorted, r)
		}
	}
	sortByGravity(sorted)
	raw, err := json.Marshal(struct {
		Form    []any
		Target  Target
		Counts  [5]uint16
		Results []Result
	}{[]any{hashFormat, o.API, o.Layout, o.Results}, t, p.counts, sorted})
	if err != nil { // strings, booleans and maps of strings can be written
		panic(fmt.Sprintf("writing results as JSON: %v", err))
	}
	sum := sha256.Sum256(raw)
	p.want = hash(sum[:16])
	p.size = int32(min(len(raw)+resultOverhead*len(sorted), 1<<31-1))
	p.fresh = &fresh{results: sorted, digest: digest, at: o.Now(), gravest: Pass}
	if len(sorted) > 0 {
		p.fresh.gravest = sorted[0].Result
	}
	return p
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

// part finds the part of a version, or nil.
func (e *entry) part(apiVersion string) *part {
	for i := range e.parts {
		if e.parts[i].apiVersion == apiVersion {
			return &e.parts[i]
		}
	}
	return nil
}

// set puts a part in the place of the one before, and gives by how much that makes the report longer.
func (e *entry) set(p part) (longer int32) {
	e.recalled.apply(p.apiVersion, p.fresh.all())
	old := e.part(p.apiVersion)
	if old == nil {
		at, _ := slices.BinarySearchFunc(e.parts, p.apiVersion, func(p part, v string) int { return strings.Compare(p.apiVersion, v) })
		e.parts = slices.Insert(e.parts, at, p)
		return p.size
	}
	p.wrote = old.wrote
	longer = p.size - old.size
	*old = p
	return longer
}

// drop has a part go from the report that it stands on.
func (e *entry) drop(p *part) {
	e.sheet.size -= p.size
	p.want, p.counts, p.size, p.fresh = hash{}, [5]uint16{}, 0, nil
}

// size is about what its results take in a report.
func (e *entry) size() (n int32) {
	for i := range e.parts {
		n += e.parts[i].size
	}
	return n
}

// changed reports whether the cluster has something else of it.
func (e *entry) changed() bool {
	return slices.ContainsFunc(e.parts, func(p part) bool { return p.want != p.wrote })
}

// failing reports whether there is something new in it that needs somebody.
func (e *entry) failing() bool {
	return slices.ContainsFunc(e.parts, func(p part) bool { return p.fresh != nil && rank(p.fresh.gravest) <= rank(Warn) })
}

// lane tells before what it is to be written.
func (e *entry) lane() lane {
	switch {
	case slices.ContainsFunc(e.parts, func(p part) bool { return p.fresh != nil && p.fresh.news }):
		return news
	case e.failing():
		return failing
	default:
		return last
	}
}

// settle lets go of what need not be kept: results that are written, and parts of which there is nothing to say.
func (e *entry) settle() {
	for i := range e.parts {
		if p := &e.parts[i]; p.want == p.wrote {
			p.fresh = nil
		}
	}
	e.parts = slices.DeleteFunc(e.parts, func(p part) bool { return p.want == hash{} && p.wrote == hash{} })
}
