package scale

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

const mib = 1 << 20

// Print writes the result for people.
func (r *Result) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d objects, policies: %s; %d CPUs, which all processes and this measurement share\n\n", r.Objects, r.Policies, r.CPUs)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\tseconds\tCPU-s holdfast\tAPI server\tetcd\tRSS MiB\tpeak\tjudged\tunchanged\treport writes\twrites made\tp50 s\tp99\tmax\tmissed\t")
	for _, p := range r.Phases {
		fmt.Fprintf(t, "%s\t%.1f\t%.2f\t%.2f\t%.2f\t%d\t%d\t%d\t%d\t%d\t%d\t", p.Name, p.Seconds,
			p.CPU[nameHoldfast], p.CPU[string(controlplane.APIServer)], p.CPU[string(controlplane.Etcd)],
			p.RSS[nameHoldfast]/mib, p.PeakRSS[nameHoldfast]/mib, p.Judged, p.Unchanged, p.Writes, p.Events)
		if d := p.Detect; d != nil {
			fmt.Fprintf(t, "%.3f\t%.3f\t%.3f\t%d\t\n", d.P50, d.P99, d.Max, d.Missed)
		} else {
			fmt.Fprint(t, "\t\t\t\t\n")
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	fmt.Fprintln(&b)
	for _, p := range r.Phases {
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(p.Requests)) {
			parts = append(parts, fmt.Sprintf("%d %s", p.Requests[key], key))
		}
		fmt.Fprintf(&b, "%s: API requests: %s; read anew: %s\n", p.Name, orNone(parts), orNone(p.Listed))
	}
	if len(r.Phases) > 0 {
		first := r.Phases[0]
		fmt.Fprintf(&b, "\nfirst sweep: %.0f objects a second on the clock, %.0f a second of holdfast's CPU\n",
			float64(r.Objects)/first.Seconds, float64(r.Objects)/first.CPU[nameHoldfast])
	}
	fmt.Fprintf(&b, "reports: %d with %.1f MB; etcd's database grew by %.1f MB\n", r.Reports, float64(r.ReportBytes)/1e6, float64(r.EtcdBytes)/1e6)
	fmt.Fprintf(&b, "heap: %.1f MiB with an empty cluster, %.1f MiB with all objects: %.0f bytes an object\n",
		float64(r.BaseHeap)/mib, float64(r.Heap)/mib, r.HeapPerObject)
	for _, what := range r.Broken {
		fmt.Fprintf(&b, "NOT AS IT SHOULD BE: %s\n", what)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

func orNone(parts []string) string {
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
