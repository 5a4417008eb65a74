package app

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/audit"
)

// SettleOptions say how long a finding of the audit is transient, before it is taken for drift.
type SettleOptions struct {
	// Default is the time of policies that name none. Default: 10 s, which is more than controllers take to complete what
	// another one made. 0: findings are settled at once.
	Default time.Duration
	// Namespaces have times of their own, as NAMESPACE=DURATION, with wildcards; the first that matches counts.
	Namespaces []string
}

// DefaultSettleOptions gives the defaults.
func DefaultSettleOptions() SettleOptions {
	return SettleOptions{Default: 10 * time.Second, Namespaces: []string{}}
}

// longestSettle is a day: what has not settled by then is no passing state.
const longestSettle = 24 * time.Hour

// Validate names the first option that cannot be used, by its flag.
func (o *SettleOptions) Validate() error {
	if o.Default < 0 || o.Default > longestSettle {
		return fmt.Errorf("--settle %s: expected 0 to 24h", o.Default)
	}
	for _, text := range o.Namespaces {
		if _, err := parseNamespaceSettle(text); err != nil {
			return fmt.Errorf("--settle-namespace %q: %w", text, err)
		}
	}
	return nil
}

func parseNamespaceSettle(text string) (audit.NamespaceSettle, error) {
	namespaces, duration, ok := strings.Cut(text, "=")
	if !ok || namespaces == "" {
		return audit.NamespaceSettle{}, fmt.Errorf("expected NAMESPACE=DURATION")
	}
	if _, err := path.Match(namespaces, ""); err != nil {
		return audit.NamespaceSettle{}, fmt.Errorf("%q is no pattern of names: %w", namespaces, err)
	}
	d, err := time.ParseDuration(duration)
	if err != nil || d < 0 || d > longestSettle {
		return audit.NamespaceSettle{}, fmt.Errorf("%q is no duration from 0 to 24h", duration)
	}
	return audit.NamespaceSettle{Namespaces: namespaces, Time: d}, nil
}

// audit gives the auditor's form of options that are valid.
func (o *SettleOptions) audit() audit.Settle {
	out := audit.Settle{Default: o.Default}
	if o.Default == 0 {
		out.Default = -1 // its zero means that nobody says
	}
	for _, text := range o.Namespaces {
		if n, err := parseNamespaceSettle(text); err == nil {
			out.Namespaces = append(out.Namespaces, n)
		}
	}
	return out
}
