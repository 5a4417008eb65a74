package app

import (
	"fmt"
	"slices"

	"github.com/holdfast-io/holdfast/report"
)

// ReportOptions say how what the audit finds is reported in a cluster. After a change of any of them, what was written
// before goes as soon as it is written anew.
type ReportOptions struct {
	// API is the group of the reports' types. Default: that of PolicyReports, which most viewers know.
	API report.API
	// Layout says how objects are put together. Default: a report per object.
	Layout report.Layout
	// Results are the outcomes of which each result is written, of the others the number: "all" for all. Default: all but pass.
	Results []string
}

// DefaultReportOptions gives the defaults of all options.
func DefaultReportOptions() ReportOptions {
	o := ReportOptions{API: report.APIs()[0], Layout: report.Layouts()[0]}
	for _, s := range report.DefaultStatuses() {
		o.Results = append(o.Results, string(s))
	}
	return o
}

// Validate names the first option that cannot be used, by its flag.
func (o *ReportOptions) Validate() error {
	switch {
	case !slices.Contains(report.APIs(), o.API):
		return fmt.Errorf("--report-api %q: expected %s or %s", o.API, report.PolicyReports, report.OpenReports)
	case !slices.Contains(report.Layouts(), o.Layout):
		return fmt.Errorf("--report-layout %q: expected %s or %s", o.Layout, report.PerResource, report.PerNamespace)
	}
	if _, err := report.ParseStatuses(o.Results); err != nil {
		return fmt.Errorf("--report-results: %w", err)
	}
	return nil
}

// statuses are the outcomes of which each result is written.
func (o *ReportOptions) statuses() []report.Status {
	s, _ := report.ParseStatuses(o.Results) // checked by Validate
	return s
}
