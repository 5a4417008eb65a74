package audit

import (
	"strings"
	"time"
	"unique"

	"github.com/holdfast-io/holdfast/engine"
)

// kept is an Origin as the history keeps it: there is one for most objects that fail anything, so that it takes 48 bytes, and
// the texts are kept once for all that have them alike.
type kept struct {
	first, written moment
	detected       time.Duration
	by             unique.Handle[writer]
	// settles is when it is to be taken for drift, counted from the history's beginning by the clock that nobody sets; 0
	// when it is.
	settles time.Duration
	awaits  int64
}

// writer is what many findings have alike: who brought them, and how they got past admission.
type writer struct {
	user, groups, manager, subresource string // groups one a line
	operation                          engine.Operation
	slip                               Slip
}

// moment is a time in Unix nanoseconds; 0 for none.
type moment int64

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return moment(t.UnixNano())
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m))
}

// keep gives the origin as it is kept.
func (h *history) keep(o *Origin) kept {
	k := kept{
		first: momentOf(o.First), written: momentOf(o.Write.Time), detected: o.Detected, awaits: o.awaits,
		by: unique.Make(writer{
			o.Write.User, strings.Join(o.Write.Groups, "\n"), o.Write.Manager, o.Write.Subresource, o.Write.Operation, o.Slip,
		}),
	}
	if !o.Settles.IsZero() {
		k.settles = max(o.Settles.Sub(h.began), 1) // never 0, which stands for what has settled
	}
	return k
}

// told gives it back as it is told.
func (h *history) told(k *kept) Origin {
	w := k.by.Value()
	o := Origin{
		First: k.first.time(), Detected: k.detected, Slip: w.slip, Settles: h.settles(k), awaits: k.awaits,
		Write: Write{User: w.user, Manager: w.manager, Subresource: w.subresource, Operation: w.operation, Time: k.written.time()},
	}
	if w.groups != "" {
		o.Write.Groups = strings.Split(w.groups, "\n")
	}
	return o
}

// settles is when what is kept is to be taken for drift; zero when it is.
func (h *history) settles(k *kept) time.Time {
	if k.settles == 0 {
		return time.Time{}
	}
	return h.began.Add(k.settles)
}

func (k *kept) state() State {
	if k.settles == 0 {
		return Settled
	}
	return Transient
}
