package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// findings are the decisions that somebody is to hear of, sorted by what they mean for the write.
type findings struct {
	denials   []*engine.Decision // an Enforce rule says no
	blocking  []*engine.Decision // could not be evaluated, failurePolicy Fail
	open      []*engine.Decision // could not be evaluated, failurePolicy Ignore
	audits    []*engine.Decision // a rule says no and does not enforce it
	mutated   []*engine.Decision // a mutate rule changed the object
	annotated []*engine.Decision // has auditAnnotations
	uid       string             // of the review
	// private keeps messages, which may quote the object, out of the audit log.
	private bool
}

// sortOut sorts the decisions on a request.
func sortOut(req *engine.Request, decisions []engine.Decision) findings {
	f := findings{private: isSecret(req)}
	for i := range decisions {
		d := &decisions[i]
		if len(d.Annotations) > 0 {
			f.annotated = append(f.annotated, d)
		}
		switch d.Status {
		case engine.Fail, engine.Warn:
			if d.Denies() {
				f.denials = append(f.denials, d)
			} else {
				f.audits = append(f.audits, d)
			}
		case engine.Error:
			if d.Policy.FailurePolicy == engine.IgnoreOnError {
				f.open = append(f.open, d)
			} else {
				f.blocking = append(f.blocking, d)
			}
		case engine.Pass:
			if d.Rule.Kind == engine.Mutate && d.Message != "" {
				f.mutated = append(f.mutated, d)
			}
		}
	}
	return f
}

func (f *findings) refuses() bool { return len(f.denials)+len(f.blocking) > 0 }

// refusing are the decisions that refuse.
func (f *findings) refusing() []*engine.Decision { return slices.Concat(f.denials, f.blocking) }

// refusal is the answer of findings that refuse, about the object named what.
func (f *findings) refusal(uid, what string) *admissionv1.AdmissionResponse {
	list := f.refusing()
	lines := make([]string, 0, maxListed+1)
	for _, d := range list[:min(len(list), maxListed)] {
		line := sentence(d)
		if d.Status == engine.Error {
			line += "; the policy's failurePolicy is Fail"
		}
		lines = append(lines, cut(line, maxLineRunes))
	}
	if more := len(list) - maxListed; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	message := lines[0]
	if len(list) > 1 {
		message = fmt.Sprintf("%d rules refuse %s:\n- %s", len(list), what, strings.Join(lines, "\n- "))
	}
	if len(f.denials) == 0 {
		return Errored(uid, f.errorCode(), errors.New(message), f.notes())
	}
	return Denied(uid, message, causes(list), f.notes())
}

// errorCode tells time that ran out from other failures.
func (f *findings) errorCode() int {
	for _, d := range f.blocking {
		if !errors.Is(d.Err, context.DeadlineExceeded) {
			return http.StatusInternalServerError
		}
	}
	return http.StatusGatewayTimeout
}

const (
	// maxListed is how many rules a denial spells out, and its causes and annotations too: more than
	// anybody mends at once, and it keeps an answer far below the 1.5 MiB that an API response may have.
	maxListed = 20
	// maxLineRunes is how long a rule's message may be there: policies bring the text.
	maxLineRunes = 1024
)

// sentence names the policy and, if it has a name, the rule, and tells what the rule found. The engine's messages
// hold the policy's own words and the path that failed.
func sentence(d *engine.Decision) string { return named(d) + ": " + d.Message }

// named is the policy and, if it has a name, the rule.
func named(d *engine.Decision) string {
	who := "policy " + d.Policy.Key()
	if d.Rule.Name != "" {
		who += ", rule " + d.Rule.Name
	}
	return who
}

// causes are the rules that refuse, for programs: the type is the rule's ID, the field the path.
func causes(list []*engine.Decision) []metav1.StatusCause {
	out := make([]metav1.StatusCause, 0, min(len(list), maxListed))
	for _, d := range list[:min(len(list), maxListed)] {
		out = append(out, metav1.StatusCause{
			Type:    metav1.CauseType(d.Rule.ID()),
			Message: cut(d.Message, maxLineRunes), Field: d.Path,
		})
	}
	return out
}

// cut shortens s to at most n runes, the last of which then shows that there was more.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	end := 0 // where the rune before the last one allowed ends
	for i := range s {
		if count == n-1 {
			end = i
		}
		if count == n {
			return s[:end] + "…"
		}
		count++
	}
	return s
}
