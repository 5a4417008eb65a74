package webhook

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// DefaultTimeoutSeconds is the timeout of policies that name none. It is the API's own default.
const DefaultTimeoutSeconds = 10

// maxTimeoutSeconds is the longest timeout that the admission API allows.
const maxTimeoutSeconds = 30

// Group is a set of policies that share a webhook entry, because they agree on what the API server can
// know only per entry: how long it waits, and what it does when it gets no answer. One policy's choice
// binds no other.
type Group struct {
	FailurePolicy  engine.FailurePolicy
	TimeoutSeconds int32
}

// GroupOf gives the group of a policy.
func GroupOf(p *engine.Policy) Group {
	g := Group{FailurePolicy: p.FailurePolicy, TimeoutSeconds: p.TimeoutSeconds}
	if g.TimeoutSeconds == 0 {
		g.TimeoutSeconds = DefaultTimeoutSeconds
	}
	return g
}

// String is the group's name in paths and webhook names: fail-10s.
func (g Group) String() string {
	return strings.ToLower(string(g.FailurePolicy)) + "-" + strconv.Itoa(int(g.TimeoutSeconds)) + "s"
}

// ParseGroup reads what String wrote.
func ParseGroup(s string) (Group, error) {
	policy, seconds, _ := strings.Cut(s, "-")
	n, err := strconv.ParseInt(strings.TrimSuffix(seconds, "s"), 10, 32)
	g := Group{TimeoutSeconds: int32(n)}
	switch policy {
	case "fail":
		g.FailurePolicy = engine.FailOnError
	case "ignore":
		g.FailurePolicy = engine.IgnoreOnError
	}
	// Only the written form names the group, so that each has one path.
	if err != nil || n < 1 || n > maxTimeoutSeconds || g.String() != s {
		return Group{}, fmt.Errorf("%q is not a group of policies: expected fail-SECONDSs or ignore-SECONDSs, of 1 to %d seconds", s, maxTimeoutSeconds)
	}
	return g, nil
}

func (g Group) timeout() time.Duration { return time.Duration(g.TimeoutSeconds) * time.Second }

// compareGroups orders Fail before Ignore, then short before long.
func compareGroups(a, b Group) int {
	return cmp.Or(strings.Compare(string(a.FailurePolicy), string(b.FailurePolicy)), cmp.Compare(a.TimeoutSeconds, b.TimeoutSeconds))
}
