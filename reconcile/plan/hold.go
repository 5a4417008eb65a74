package plan

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Hold keeps an object from being changed.
type Hold struct {
	// Until is when it ends; zero for never.
	Until  time.Time
	Reason string
}

// HoldOf reads the annotation of an object, or of its Namespace; false where there is none. A hold that cannot be read is one
// without an end, and the error says what is wrong: who wrote it meant the object to be left alone.
func HoldOf(annotations map[string]string) (Hold, bool, error) {
	value, ok := annotations[v1alpha1.AnnotationHold]
	if !ok {
		return Hold{}, false, nil
	}
	h, err := ParseHold(value)
	return h, true, err
}

var errHold = errors.New(`expected the time until when (2026-12-24T18:00:00Z, or 2026-12-24 for the end of that day in UTC) or "always", and behind a blank the reason`)

// ParseHold reads the value of the annotation.
func ParseHold(value string) (Hold, error) {
	until, reason, _ := strings.Cut(strings.TrimSpace(value), " ")
	h := Hold{Reason: strings.TrimSpace(reason)}
	if until == "always" {
		return h, nil
	}
	if t, err := time.Parse(time.RFC3339, until); err == nil {
		h.Until = t
		return h, nil
	}
	if day, err := time.Parse(time.DateOnly, until); err == nil {
		h.Until = day.AddDate(0, 0, 1)
		return h, nil
	}
	return Hold{Reason: value}, fmt.Errorf("%s: %q: %w", v1alpha1.AnnotationHold, value, errHold)
}

// Holds reports whether the hold is in force.
func (h Hold) Holds(now time.Time) bool { return h.Until.IsZero() || now.Before(h.Until) }
