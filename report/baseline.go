package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Baseline says what of a document was left out, because an earlier one has it.
type Baseline struct {
	// Digest is of the bundle that judged then.
	Digest string `json:"digest"`
	// Known counts the findings that were there already, and are no more in the results or the summary.
	Known int `json:"known"`
	// Gone counts the findings of the earlier document that are there no more.
	Gone int `json:"gone"`
}

// sentence says what was left out, and that other policies judged where they did.
func (b *Baseline) sentence(digest string) string {
	text := fmt.Sprintf("of the baseline: %s still there, %d gone", count(b.Known, "finding", "findings"), b.Gone)
	if b.Digest != digest {
		text += "; another bundle judged then (" + shortDigest(b.Digest) + ")"
	}
	return text
}

// maxBaseline bounds what is read as a baseline. 100,000 results, as of 5,000 objects judged by 30 policies, take 60 MB.
const maxBaseline = 1 << 30

// ReadBaseline reads what WriteJSON wrote.
func ReadBaseline(r io.Reader) (*Document, error) {
	var d struct {
		Document
		Results *[]Result `json:"results"`
		Summary *Summary  `json:"summary"`
	}
	if err := json.NewDecoder(io.LimitReader(r, maxBaseline)).Decode(&d); err != nil {
		return nil, fmt.Errorf("expected what audit writes with -o json: %w", err)
	}
	switch {
	case d.Results == nil || d.Summary == nil:
		return nil, errors.New("expected what audit writes with -o json: it has no results or no summary")
	case d.Baseline != nil:
		return nil, errors.New("was itself written with a baseline, and lacks what that one has: expected one of a whole audit")
	}
	d.Document.Results, d.Document.Summary = *d.Results, *d.Summary
	return &d.Document, nil
}

// Since leaves in the document only the findings that are worse than in an earlier one: those whose policy, rule and object
// had no finding there, or a milder one. Lines and messages do not count, since both move without anything getting worse.
// What passed and what was skipped stays, and so does the coverage.
func (d *Document) Since(base *Document) {
	before := map[findingKey][]Status{}
	for i := range base.Results {
		if r := &base.Results[i]; r.Result.finding() {
			before[r.key()] = append(before[r.key()], r.Result)
		}
	}
	var kept []Result
	known, worse := 0, map[findingKey]int{}
	for i := range d.Results {
		r := &d.Results[i]
		if r.Result.finding() {
			if takeKnown(before, r) {
				known++
				continue
			}
			worse[r.key()]++
		}
		kept = append(kept, *r)
	}
	gone := 0
	for key, statuses := range before {
		gone += max(0, len(statuses)-worse[key]) // what became worse is not gone
	}
	d.Results, d.Summary = kept, Summarize(kept)
	d.Baseline = &Baseline{Digest: base.Bundle.Digest, Known: known, Gone: gone}
}

// findingKey is by what a finding is known again: the version of the object's API is none of it.
type findingKey struct {
	rule                         string // with the kind and the name of the policy
	group, kind, namespace, name string
}

func (r *Result) key() findingKey {
	res := r.resource()
	gv, err := schema.ParseGroupVersion(res.APIVersion)
	if err != nil {
		gv.Group = res.APIVersion // no API's: as it stands
	}
	return findingKey{r.id(), gv.Group, res.Kind, res.Namespace, res.Name}
}

// takeKnown reports whether the finding was there before, as grave or graver, and takes it from what was: objects that have
// no name yet, with a generateName, are as many as there were.
func takeKnown(before map[findingKey][]Status, r *Result) bool {
	key := r.key()
	at := slices.Index(before[key], r.Result)
	if at < 0 && r.Result == Warn {
		at = slices.Index(before[key], Fail)
	}
	if at < 0 {
		return false
	}
	before[key] = slices.Delete(before[key], at, at+1)
	return true
}
