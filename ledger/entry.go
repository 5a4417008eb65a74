package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind says what an entry tells.
type Kind string

// The kinds of entries.
const (
	// Denied is a write that admission refused. Outcome is fail where a rule said no, error where one could not be
	// evaluated and its policy must not be passed.
	Denied Kind = "denied"
	// PolicyWritten is a write of a policy that admission let pass, and that changes what the policy says.
	PolicyWritten Kind = "policy-written"

	// FindingOpened and FindingClosed are the two ends of a finding: an object that fails a rule, and does so no more.
	FindingOpened Kind = "finding-opened"
	FindingClosed Kind = "finding-closed"
	// FindingStanding says again that a finding is open, because its opening is about to be cut off.
	FindingStanding Kind = "finding-standing"

	// Planned is a remediation as it was proposed; Superseded is one whose place another took. Approved and Rejected are what
	// people decided about one.
	Planned    Kind = "planned"
	Superseded Kind = "superseded"
	Approved   Kind = "approved"
	Rejected   Kind = "rejected"
	// Intended is a write of an object that is about to be made: what has none was not made by Holdfast.
	Intended Kind = "intended"
	// Applied is what became of such a write. Outcome is done or failed.
	Applied Kind = "applied"
	// Concluded is how a remediation ended.
	Concluded Kind = "concluded"
	// RolledBack is a write that was taken back. Its own write has been Intended, too.
	RolledBack Kind = "rolled-back"

	// BreakerChanged and SwitchChanged are changes of what stops all acting: of one policy (outcome opened, half-opened or
	// closed), or altogether (stopped or released).
	BreakerChanged Kind = "breaker-changed"
	SwitchChanged  Kind = "switch-changed"
	// BundleChanged is another set of policies in force.
	BundleChanged Kind = "bundle-changed"

	// Begun is the first entry of a ledger.
	Begun Kind = "begun"
	// Dropped says that entries were lost on their way, and how many.
	Dropped Kind = "dropped"
	// Pruned says that the oldest entries were cut off, and what their hash was.
	Pruned Kind = "pruned"
)

// Kinds lists the kinds, in the order in which help shows them.
func Kinds() []Kind {
	return []Kind{
		Denied, PolicyWritten, FindingOpened, FindingClosed, FindingStanding, Planned, Superseded, Approved, Rejected,
		Intended, Applied, Concluded, RolledBack, BreakerChanged, SwitchChanged, BundleChanged, Begun, Dropped, Pruned,
	}
}

// Entry is one thing that was decided or done. What does not apply is zero.
type Entry struct {
	// Seq is the entry's place in the chain, from 1. The store sets it.
	Seq int64 `json:"seq"`
	// Time is when it happened, in UTC and to the microsecond. Zero means when it is recorded.
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Object is what it happened to.
	Object Object `json:"object,omitzero"`
	// Policy is by which policy and rule.
	Policy Policy `json:"policy,omitzero"`
	// Bundle is the digest of all policies that were in force.
	Bundle string `json:"bundle,omitempty"`
	// Actor is who did it, or whose request it was about.
	Actor Actor `json:"actor,omitzero"`
	// Message is the rationale: why it was decided so.
	Message string `json:"message,omitempty"`
	// Outcome is how it went, in a word.
	Outcome string `json:"outcome,omitempty"`
	// Diff is what changes in the object, for people, without values of Secrets.
	Diff string `json:"diff,omitempty"`
	// Inverse is a JSON Patch as text that leads back to what there was, of an intent; never of a Secret's values, and none
	// where it would be longer than maxInverse.
	Inverse string `json:"inverse,omitempty"`
	// Remediation is the name of the Remediation that it belongs to, and Plan the digest of its plan.
	Remediation string `json:"remediation,omitempty"`
	Plan        string `json:"plan,omitempty"`
	// Request is the UID of the admission request.
	Request string `json:"request,omitempty"`
	// Replica is the program that recorded it. The Recorder sets it.
	Replica string `json:"replica,omitempty"`
	// Details are what only this kind of entry has.
	Details map[string]string `json:"details,omitempty"`
}

// Object names an object of the cluster.
type Object struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
	UID        string `json:"uid,omitempty"`
}

// String names the object as people do: Deployment shop/web.
func (o Object) String() string {
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + o.Name
	}
	return strings.TrimSpace(o.Kind + " " + name)
}

// Policy names a policy and, where one speaks, its rule.
type Policy struct {
	Kind string `json:"kind,omitempty"`
	// Name has the namespace before it, with a slash, where the policy is of one.
	Name string `json:"name,omitempty"`
	Rule string `json:"rule,omitempty"`
	// Digest is of the policy's text.
	Digest string `json:"digest,omitempty"`
}

// Actor is who did something.
type Actor struct {
	// User is the name that the API server authenticated.
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// Manager is the field manager of the write.
	Manager string `json:"manager,omitempty"`
}

// name is by what the actor is searched: the user, or where none is known the manager.
func (a Actor) name() string {
	if a.User != "" {
		return a.User
	}
	return a.Manager
}

// The bounds of one entry, in bytes. A name of Kubernetes has 253 at most, a user's name as many as its authenticator
// gives; messages are those of policies, of which reports take as much; a diff of 32 KiB is more than anybody reads, and
// keeps the longest entry at about 160 KiB, with the longest patch that a plan has.
const (
	maxName    = 512
	maxMessage = 4 << 10
	maxDiff    = 32 << 10
	maxInverse = 64 << 10
	maxDetails = 16
	maxGroups  = 32
	maxDetail  = 1 << 10
)

// prepare gives the entry as it is recorded at a place in the chain: bounded, valid and with its time.
func (e Entry) prepare(seq int64, now time.Time) Entry {
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Seq, e.Time = seq, e.Time.UTC().Truncate(time.Microsecond)
	e.Kind = Kind(short(string(e.Kind), maxName))
	for _, s := range []*string{
		&e.Object.APIVersion, &e.Object.Kind, &e.Object.Namespace, &e.Object.Name, &e.Object.UID,
		&e.Policy.Kind, &e.Policy.Name, &e.Policy.Rule, &e.Policy.Digest, &e.Bundle, &e.Actor.User, &e.Actor.Manager,
		&e.Outcome, &e.Remediation, &e.Plan, &e.Request, &e.Replica,
	} {
		*s = short(*s, maxName)
	}
	e.Message, e.Diff = short(e.Message, maxMessage), short(e.Diff, maxDiff)
	if len(e.Inverse) > maxInverse || short(e.Inverse, maxInverse) != e.Inverse {
		e.Inverse = "" // half of it leads nowhere
	}
	if len(e.Actor.Groups) > 0 {
		groups := make([]string, min(len(e.Actor.Groups), maxGroups))
		for i := range groups {
			groups[i] = short(e.Actor.Groups[i], maxName)
		}
		e.Actor.Groups = groups
	}
	if len(e.Details) > 0 {
		details := map[string]string{}
		keys := slices.Sorted(maps.Keys(e.Details))
		for _, k := range keys[:min(len(keys), maxDetails)] {
			details[short(k, maxName)] = short(e.Details[k], maxDetail)
		}
		e.Details = details
	}
	return e
}

// encode gives the bytes that are hashed and stored. They are never made again from the entry: what is verified is what
// was written, whatever a later program would write.
func (e Entry) encode() ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding entry %d: %w", e.Seq, err)
	}
	return body, nil
}

// decode reads an entry back.
func decode(body []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("decoding an entry: %w", err)
	}
	return e, nil
}

// short makes a text valid, without the character that PostgreSQL cannot hold, and at most n bytes long. What was longer
// says by how much.
func short(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= n {
		return s
	}
	const room = 32 // for the mark
	end := n - room
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d more bytes)", s[:end], len(s)-end)
}
