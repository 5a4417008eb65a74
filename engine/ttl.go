package engine

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The label on an object that says how long it is to live, and the annotation that says how it is deleted.
// Source: https://kyverno.io/docs/policy-types/cleanup-policy/#cleanup-label
const (
	labelTTL              = "cleanup.kyverno.io/ttl"
	annotationPropagation = "cleanup.kyverno.io/propagation-policy"
)

// ttlRule is what findings about the label name as their rule. There is no such policy in a bundle: the label
// speaks for itself.
func ttlRule() *Rule {
	p := &Policy{Kind: kindClusterCleanup, Name: "cleanup-ttl", Title: "Time to live", Category: "Cleanup", Scored: true, Background: true}
	r := &Rule{Policy: p, Name: "ttl", Kind: Cleanup, operations: operationBit(Create)}
	p.Rules = []*Rule{r}
	return r
}

// outlived judges an object at rest by its label: it fails when its time is over, since nobody should find
// it any more, and when the label cannot be read, since it then lives for ever. Most objects have none.
func (e *evaluation) outlived(r *Rule) *Decision {
	value, ok := e.metadata("labels")[labelTTL].(string)
	meta, _ := e.object["metadata"].(map[string]any)
	if !ok || meta["deletionTimestamp"] != nil {
		return nil
	}
	d := r.decide(Fail, "")
	d.Path = "/metadata/labels/" + labelTTL + "/"
	d.Properties = map[string]string{"ttl": value}
	if how, _ := e.metadata("annotations")[annotationPropagation].(string); how != "" {
		d.Properties[propertyPropagation] = how
	}
	end, known, err := endOfLife(value, meta["creationTimestamp"])
	switch {
	case err != nil:
		d.Message = fmt.Sprintf("the label %s: %v: the object is never deleted", labelTTL, err)
	case !known:
		return nil
	case !e.in.Now().After(end):
		e.asked.until(end)
		return nil
	default:
		d.Properties["expired"] = end.UTC().Format(time.RFC3339)
		d.Message = fmt.Sprintf("the label %s: %s says that the object is deleted at %s, which is past", labelTTL, value, d.Properties["expired"])
	}
	return d
}

// EndOfLife gives the time at which the label cleanup.kyverno.io/ttl has an object deleted. It is not known of an object
// without the label, with one that cannot be read, or with a duration and no time of creation to count from.
func EndOfLife(object map[string]any) (end time.Time, known bool) {
	meta, _ := object["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	value, ok := labels[labelTTL].(string)
	if !ok {
		return time.Time{}, false
	}
	end, known, err := endOfLife(value, meta["creationTimestamp"])
	return end, known && err == nil
}

// endOfLife reads the label: a duration counts from the creation, which an object in a file does not know; a
// date is 2006-01-02 or 2006-01-02T150405Z.
func endOfLife(value string, created any) (end time.Time, known bool, err error) {
	if life, ok := parseLife(value); ok {
		text, _ := created.(string)
		birth, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return end, false, nil //nolint:nilerr // without a creation there is no end to tell
		}
		return birth.Add(life), true, nil
	}
	for _, layout := range []string{"2006-01-02T150405Z", time.DateOnly} {
		if end, err = time.Parse(layout, value); err == nil {
			return end, true, nil
		}
	}
	return end, false, fmt.Errorf("%q is neither a duration such as 90m, 12h or 7d nor a date such as 2006-01-02 or 2006-01-02T150405Z", value)
}

// parseLife reads a Go duration, or whole numbers with units up to weeks (1d12h, 2weeks). All of the text must
// be read: what stands beside a duration would otherwise be guessed away.
func parseLife(text string) (time.Duration, bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, true
	}
	var sum time.Duration
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil {
			return 0, false
		}
		rest = rest[digits:]
		letters := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) })
		if letters < 0 {
			letters = len(rest)
		}
		unit, ok := lifeUnit(strings.ToLower(rest[:letters]))
		if !ok || time.Duration(n) > (math.MaxInt64-sum)/unit {
			return 0, false
		}
		sum += time.Duration(n) * unit
		rest = rest[letters:]
	}
	return sum, text != ""
}

// lifeUnit knows a unit by its short names, and by its long one with whatever ending.
func lifeUnit(name string) (time.Duration, bool) {
	for _, u := range [...]struct {
		short []string
		long  string
		unit  time.Duration
	}{
		{[]string{"ns"}, "nano", time.Nanosecond},
		{[]string{"us", "µs", "μs"}, "micro", time.Microsecond},
		{[]string{"ms"}, "milli", time.Millisecond},
		{[]string{"s"}, "sec", time.Second},
		{[]string{"m"}, "min", time.Minute},
		{[]string{"h", "hr"}, "hour", time.Hour},
		{[]string{"d"}, "day", 24 * time.Hour},
		{[]string{"w", "wk"}, "week", 7 * 24 * time.Hour},
	} {
		for _, s := range u.short {
			if name == s {
				return u.unit, true
			}
		}
		if strings.HasPrefix(name, u.long) {
			return u.unit, true
		}
	}
	return 0, false
}
