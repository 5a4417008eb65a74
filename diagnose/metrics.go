package diagnose

import (
	"bytes"
	"context"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// sign is what a metric says that looks wrong: the sum of its series with one of the values of a label.
type sign struct {
	metric string   // without holdfast_
	label  string   // none for all series
	values []string // of the label
	wrong  func(sum float64) bool
	// says goes behind the sum, and page is the runbook.
	says, page string
}

func some(sum float64) bool { return sum > 0 }
func none(sum float64) bool { return sum == 0 }

// signs are those that somebody should look at. Counters count since the replica started.
var signs = []sign{
	{"admission_errors_total", "", nil, some, "reviews, or rules of one, that could not be evaluated", "admission-fails.md"},
	{"admission_shed_total", "", nil, some, "reviews answered unevaluated, because too many were in hand", "admission-slow.md"},
	{"webhook_configuration_in_sync", "", nil, none, "webhook configurations that were right at the last look", "registration.md"},
	{"webhook_configuration_failures_total", "", nil, some, "failed attempts to write the webhook configurations", "registration.md"},
	{"policies", "state", []string{"outdated", "broken"}, some, "policies that do not compile", "policies.md"},
	{"lookup_requests_total", "outcome", []string{"forbidden", "refused", "timeout", "too_large", "error"}, some, "look-ups of rules that had no answer", "lookups.md"},
	{"audit_objects_failed", "", nil, some, "objects of which a rule could not be evaluated", "audit.md"},
	{"reconcile_dropped_total", "", nil, some, "requests whose consequences were given up", "reconcile.md"},
	{"remediation_plan_failures_total", "", nil, some, "failed attempts to plan, or to write Remediations", "remediations.md"},
	{"remediation_dropped", "", nil, some, "planned changes that there was no room for", "remediations.md"},
	{"report_write_errors_total", "", nil, some, "failed requests about reports, which are tried again", "reports.md"},
	{"report_results_omitted_total", "", nil, some, "results that did not fit into their report", "reports.md"},
	{"events_total", "outcome", []string{"failed", "dropped"}, some, "Events that were not written", "reports.md"},
	{"ledger_dropped_total", "", nil, some, "entries that the ledger lost", "ledger.md"},
	{"ledger_failures_total", "", nil, some, "failed attempts to open or write the ledger", "ledger.md"},
	{"ledger_intact", "", nil, none, "ledgers whose chain was whole when it was last verified", "ledger.md"},
}

// metrics has the replica's metrics as they are, and tells of the signs among them.
func (a *Archive) metrics(ctx context.Context, r Replica) {
	file := "metrics/" + FileName(r.Name) + ".txt"
	text, err := r.Get(ctx, "/metrics")
	if err != nil {
		a.Missed(file, err)
		return
	}
	a.Add(file, text)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		a.Missed(file, err)
		return
	}
	for _, s := range signs {
		family, ok := families["holdfast_"+s.metric]
		if !ok {
			continue // of a part that this replica does not run
		}
		if sum := s.sum(family); s.wrong(sum) {
			a.Found("%s has %.0f %s (runbook %s)", r.Name, sum, s.says, s.page)
		}
	}
}

func (s *sign) sum(family *dto.MetricFamily) float64 {
	sum := 0.0
	for _, m := range family.GetMetric() {
		counts := s.label == ""
		for _, l := range m.GetLabel() {
			counts = counts || l.GetName() == s.label && slices.Contains(s.values, l.GetValue())
		}
		if counts {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum
}

// FileName makes a name of a file of that of a replica, which may be an address.
func FileName(replica string) string {
	return strings.NewReplacer("://", "-", "/", "-", ":", "-", `\`, "-").Replace(replica)
}
