package webhook

import (
	"log/slog"
	"sync/atomic"
)

// failing decides when failures of the webhook refuse writes. While the replicas start for the first time, a Service
// leads some requests nowhere: refusing these would be an outage that no policy asked for. So failurePolicy Fail is
// switched on once every replica is ready. From then on it stays on, whatever becomes of the replicas: that one of them
// restarts, or all, is just what it is for, and must not open the door.
//
// That it is on is known from the configurations themselves: a replica that finds an entry that refuses keeps it so. That
// outlives every process, and who softens the entries or deletes the configuration by hand, because nobody answers, starts
// over.
type failing struct {
	replicas Replicas // nil: this process is all
	on       bool
	missing  atomic.Pointer[string]
}

// waitsFor says what is missing before failures may refuse a write, or nothing.
func (f *failing) waitsFor() string {
	if f.on {
		return ""
	}
	missing := ""
	if f.replicas != nil {
		missing = f.replicas.Missing()
	}
	f.on = missing == ""
	return missing
}

func (f *failing) turnOn() { f.on = true }

// changed receives when it is worth asking anew; nil, which never does, when nobody is waited for.
func (f *failing) changed() <-chan struct{} {
	if f.replicas == nil || f.on {
		return nil
	}
	return f.replicas.Changed()
}

// tell keeps in mind, and in the log, why entries are forgiving that should not be; nothing says that none is.
func (f *failing) tell(why string, log *slog.Logger) {
	before := f.notYetOn()
	f.missing.Store(&why)
	switch {
	case why != "" && why != before:
		log.Warn("policies with failurePolicy Fail do not refuse writes on failure until every replica is ready", "missing", why)
	case why == "" && before != "":
		log.Info("policies with failurePolicy Fail refuse writes on failure from now on")
	}
}

// notYetOn says why failures are ignored although policies want them to refuse, or nothing.
func (f *failing) notYetOn() string {
	if p := f.missing.Load(); p != nil {
		return *p
	}
	return ""
}
