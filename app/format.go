package app

import (
	"slices"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report"
)

// Format is how a command writes its answer.
type Format string

// The formats. Not every command has them all.
const (
	Table Format = "table"
	JSON  Format = "json"
	YAML  Format = "yaml"
	SARIF Format = "sarif"
	JUnit Format = "junit"
	JSONL Format = "jsonl" // a JSON object in each line
	CSV   Format = "csv"

	GitHub Format = "github" // annotations of GitHub Actions
	GitLab Format = "gitlab" // a Code Quality report
)

// AuditFormats are those of an audit.
func AuditFormats() []Format { return []Format{Table, JSON, YAML, SARIF, JUnit, GitHub, GitLab} }

func write(d *report.Document, opts AuditOptions, snapshot *engine.Snapshot, streams IO) error {
	switch opts.Output {
	case JSON:
		return report.WriteJSON(streams.Out, d)
	case YAML:
		return report.WriteYAML(streams.Out, d)
	case SARIF:
		return report.WriteSARIF(streams.Out, d, report.SARIFOptions{Version: opts.Version, Policies: snapshot.Policies()})
	case JUnit:
		return report.WriteJUnit(streams.Out, d)
	case GitHub:
		return report.WriteGitHub(streams.Out, d)
	case GitLab:
		return report.WriteGitLab(streams.Out, d)
	default:
		return report.WriteTable(streams.Out, d, report.TableOptions{Width: streams.Width, Colour: streams.Colour, All: opts.All})
	}
}

// FailOn says which findings make the exit code Findings.
type FailOn string

// The levels: any failure or warning; failures (the default); failures of this severity or a higher one;
// nothing. A failure of a policy without a severity counts at each of them, and so does a rule that could
// not be evaluated.
const (
	FailOnAny      FailOn = "any"
	FailOnFail     FailOn = "fail"
	FailOnLow      FailOn = "low"
	FailOnMedium   FailOn = "medium"
	FailOnHigh     FailOn = "high"
	FailOnCritical FailOn = "critical"
	FailOnNone     FailOn = "none"
)

// FailOnLevels lists the levels, from the strictest.
func FailOnLevels() []FailOn {
	return []FailOn{FailOnAny, FailOnFail, FailOnLow, FailOnMedium, FailOnHigh, FailOnCritical, FailOnNone}
}

func (f FailOn) exceeded(results []report.Result) bool {
	return slices.ContainsFunc(results, func(r report.Result) bool {
		switch {
		case f == FailOnNone:
			return false
		case r.Result == report.Error:
			return true
		case r.Result == report.Warn:
			return f == FailOnAny
		case r.Result != report.Fail:
			return false
		case f == FailOnAny, f == FailOnFail, r.Severity == "":
			return true
		}
		severities := []string{"info", "low", "medium", "high", "critical"}
		return slices.Index(severities, r.Severity) >= slices.Index(severities, string(f))
	})
}
