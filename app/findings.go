package app

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/events"
	"github.com/holdfast-io/holdfast/report"
)

// findings passes what the auditor finds on to the reports, what is to be done to the keeper, what might be done to the
// proposer, and what is new to people; all of it to the record, and to whoever counts what rules match.
type findings struct {
	writer   *report.Writer
	keeper   keeper
	proposer proposer
	events   *events.Recorder // nil for none
	record   *findingRecord
	matches  *matches // nil for none
}

func (s findings) Found(f audit.Finding) {
	results := resultsOf(&f, s.writer.Spells)
	put := s.writer.Put
	if f.News {
		put = s.writer.PutNews
	}
	put(targetOf(f.Object), f.Digest, results)
	if e, ok := violation(&f, results); ok {
		s.events.Tell(e)
	}
	s.keeper.Found(triggerOf(f.Object), f.Result.Decisions)
	s.proposer.Found(proposal(&f))
	s.record.Found(&f, results)
	s.matches.Found(&f)
}

func (s findings) Gone(o audit.Object) {
	s.writer.Remove(targetOf(o))
	s.keeper.Gone(triggerOf(o))
	s.proposer.Gone(proposedObject(o))
	s.record.Gone(o)
	s.matches.Gone(o)
}

func (s findings) Listed(t audit.Type, seen func(uid string) bool) {
	apiVersion, kind := t.Kind.ToAPIVersionAndKind()
	s.writer.Retain(apiVersion, kind, seen)
	s.proposer.Listed(t.Kind, seen)
	s.record.Listed(t, seen)
	s.matches.Listed(t, seen)
}

func (s findings) Audited(looked func(schema.GroupVersionKind) bool) {
	s.writer.Only(func(apiVersion, kind string) bool {
		return looked(schema.FromAPIVersionAndKind(apiVersion, kind))
	})
}

func targetOf(o audit.Object) report.Target {
	apiVersion, kind := o.Kind.ToAPIVersionAndKind()
	return report.Target{APIVersion: apiVersion, Kind: kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID}
}
