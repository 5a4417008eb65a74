package report

import (
	"cmp"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Since is how an object came to fail a rule: it is told as it was when the rule was first seen to fail, for as long as
// the rule fails, and a change of it alone is no reason to write a report. What is not known is empty.
type Since struct {
	// First is when the rule was first seen to fail.
	First time.Time
	// Writer is the user who wrote it, Manager the field manager, Written when.
	Writer, Manager string
	Written         time.Time
	// Detected is how long it took from there until it was seen; zero where nobody watched.
	Detected time.Duration
	// Slipped is how it got past admission.
	Slipped string
}

// Tell adds to a result of the command line how the object came to it; nil adds nothing.
func (r *Result) Tell(s *Since) {
	if s != nil {
		r.Since, r.Properties = s, s.with(r.Properties)
	}
}

// sentence tells people what is known, in one line; empty for nothing.
func (s *Since) sentence() string {
	if s == nil {
		return ""
	}
	var words []string
	if who := cmp.Or(s.Writer, s.Manager); who != "" {
		words = append(words, "written by "+who)
		if s.Writer != "" && s.Manager != "" {
			words = append(words, "("+s.Manager+")")
		}
		if !s.Written.IsZero() {
			words = append(words, "at "+s.Written.UTC().Format(time.RFC3339))
		}
	}
	if s.Slipped != "" {
		words = append(words, "past admission: "+s.Slipped)
	}
	return strings.Join(words, " ")
}

// Settle marks a finding by its state, which is part of what a report says.
func (r *Result) Settle(state State) { r.set(PropertyState, string(state)) }

// State says whether a finding is to be taken for drift.
type State string

// A transient finding may pass by itself; a settled one has not.
const (
	Transient State = "transient"
	Settled   State = "settled"
)

// instant is how the properties write a time: to the millisecond, as far as clocks of two machines can be compared.
const instant = "2006-01-02T15:04:05.000Z07:00"

// with adds what is known to the properties of a result.
func (s *Since) with(properties map[string]string) map[string]string {
	if s == nil {
		return maps.Clone(properties)
	}
	out := make(map[string]string, len(properties)+6)
	maps.Copy(out, properties)
	for name, value := range map[string]string{
		PropertyFirstSeen: timeText(s.First), PropertyWrittenBy: s.Writer, PropertyFieldManager: s.Manager,
		PropertyWrittenAt: timeText(s.Written), PropertySlipped: s.Slipped,
	} {
		if value != "" {
			out[name] = value
		}
	}
	if s.Detected > 0 {
		out[PropertyDetectedAfter] = s.Detected.Round(time.Millisecond).String()
	}
	return out
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(instant)
}

// sinceOf reads what with has written; nil if there is nothing.
func sinceOf(properties map[string]string) *Since {
	first, err := time.Parse(instant, properties[PropertyFirstSeen])
	if err != nil {
		return nil
	}
	s := &Since{First: first, Writer: properties[PropertyWrittenBy], Manager: properties[PropertyFieldManager], Slipped: properties[PropertySlipped]}
	// Somebody may have edited the report: what cannot be read is not known.
	s.Written, _ = time.Parse(instant, properties[PropertyWrittenAt])
	s.Detected, _ = time.ParseDuration(properties[PropertyDetectedAfter])
	return s
}

// recalled is what the report of an earlier run tells of findings, by API version and rule. An entry holds it until its
// object is judged by rules that pass.
type recalled map[sinceKey]*Since

type sinceKey struct{ apiVersion, rule string }

// recall reads it from a report, by the UIDs of objects.
func recall(u *unstructured.Unstructured) map[string]recalled {
	list, _ := u.Object["results"].([]any)
	out := map[string]recalled{}
	for _, item := range list {
		r, _ := item.(map[string]any)
		properties := map[string]string{}
		written, _ := r["properties"].(map[string]any)
		for name, value := range written {
			properties[name], _ = value.(string)
		}
		since := sinceOf(properties)
		resources, _ := r["resources"].([]any)
		if since == nil || len(resources) == 0 {
			continue
		}
		object, _ := resources[0].(map[string]any)
		apiVersion, _ := object["apiVersion"].(string)
		uid, _ := object["uid"].(string)
		if out[uid] == nil {
			out[uid] = recalled{}
		}
		key := Result{Properties: properties}
		key.Policy, _ = r["policy"].(string)
		key.Rule, _ = r["rule"].(string)
		out[uid][sinceKey{apiVersion, key.id()}] = since
	}
	return out
}

// apply gives the results what an earlier run knew of those that fail still, and forgets the others of this version.
func (past recalled) apply(apiVersion string, results []Result) {
	if len(past) == 0 {
		return
	}
	still := map[sinceKey]bool{}
	for i := range results {
		r := &results[i]
		key := sinceKey{apiVersion, r.id()}
		before := past[key]
		if r.Since == nil || before == nil {
			continue
		}
		still[key] = true
		if before.First.Before(r.Since.First) {
			r.Since = before
		}
	}
	maps.DeleteFunc(past, func(key sinceKey, _ *Since) bool { return key.apiVersion == apiVersion && !still[key] })
}
