package app

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/events"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// recorder makes what writes Events; nil if none are wanted.
func (o *ServeOptions) recorder(client kubernetes.Interface, log *slog.Logger, metrics prometheus.Registerer) (*events.Recorder, error) {
	if !o.Events {
		return nil, nil //nolint:nilnil // nobody is told
	}
	return events.New(events.Options{Client: client, Logger: log, Metrics: metrics})
}

// tellRefusals tells of refused writes where people look first: on the controller that tries to write, or else on the
// object by its name, whether there is one or not. And it has them recorded.
func tellRefusals(recorder *events.Recorder, record *chronicle) func(*webhook.Refusal) {
	if recorder == nil && record == nil {
		return nil
	}
	return func(r *webhook.Refusal) {
		if recorder != nil {
			recorder.Tell(refusal(r))
		}
		record.refused(r)
	}
}

func refusal(r *webhook.Refusal) events.Event {
	what := strings.ToLower(string(r.Operation))
	if r.Owner == nil {
		return events.Event{Object: referenceOf(&r.Object), Reason: events.Denied, Message: what + " refused: " + list(r.Messages)}
	}
	what += " of " + r.Object.Kind.Kind
	if r.Operation != engine.Create {
		what += " " + r.Object.Name // of a new one the name is another at each attempt, which would make of one Event many
	}
	return events.Event{Object: referenceOf(r.Owner), Reason: events.Denied, Message: what + " refused: " + list(r.Messages)}
}

func referenceOf(o *webhook.ObjectName) corev1.ObjectReference {
	apiVersion, kind := o.Kind.ToAPIVersionAndKind()
	return corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: o.Namespace, Name: o.Name, UID: types.UID(o.UID)}
}

// violation tells what is new of an object, if anything is. results are those of its decisions, in which no value of a
// Secret stands.
func violation(f *audit.Finding, results []report.Result) (events.Event, bool) {
	var messages []string
	secret := f.Object.Kind.Group == "" && f.Object.Kind.Kind == "Secret"
	for i := range f.Origins {
		if !f.Origins[i].JustSettled {
			continue
		}
		message := "policy " + results[i].Policy
		if results[i].Rule != "" {
			message += ", rule " + results[i].Rule
		}
		if !secret {
			message += ": " + results[i].Message
		}
		messages = append(messages, message)
	}
	if len(messages) == 0 {
		return events.Event{}, false
	}
	apiVersion, kind := f.Object.Kind.ToAPIVersionAndKind()
	return events.Event{
		Object: corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: f.Object.Namespace, Name: f.Object.Name, UID: types.UID(f.Object.UID)},
		Reason: events.Violation, Message: list(messages),
	}, true
}

// list puts messages into one, the first of them whole, as far as there is room.
func list(messages []string) string {
	switch len(messages) {
	case 0:
		return ""
	case 1:
		return messages[0]
	default:
		return fmt.Sprintf("%d rules: %s", len(messages), strings.Join(messages, "; "))
	}
}
