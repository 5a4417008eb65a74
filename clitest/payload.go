package clitest

import (
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// notBuiltError is the reason for which a test is skipped that needs what is not built.
type notBuiltError struct{ what string }

func (e *notBuiltError) Error() string { return e.what + " is not built yet" }

// loadPayloads reads the payloads. Each document of a file is one, and bears the name that the test gives the file; of
// several in one file, each from the second on has its number behind the name.
func (t *test) loadPayloads(ctx context.Context) error {
	switch {
	case len(t.spec.HTTPPayloads) > 0:
		return &notBuiltError{"the evaluation mode HTTP"}
	case len(t.spec.EnvoyPayloads) > 0:
		return &notBuiltError{"the evaluation mode Envoy"}
	}
	names := t.spec.JSONPayloads
	if t.spec.JSONPayload != "" {
		names = append([]string{t.spec.JSONPayload}, names...)
	}
	for _, name := range names {
		file, data, err := t.folder.text(ctx, name)
		if err != nil {
			return err
		}
		found, errs := manifest.ParseValues(file, data)
		if len(errs) > 0 {
			return errs[0]
		}
		if len(found) == 0 {
			return fmt.Errorf("%s holds no payload: expected JSON or YAML", file)
		}
		for i, v := range found {
			o := &object{name: name, payload: &v.Value}
			if i > 0 {
				o.name = fmt.Sprintf("%s#%d", name, i+1)
			}
			t.payloads = append(t.payloads, o)
		}
	}
	return nil
}

// isPayload reports whether a name means the payload: its own, or that of its file.
func (o *object) isPayload(written string) bool {
	file, _, _ := strings.Cut(o.name, "#")
	return o.name == written || path.Clean(file) == path.Clean(written)
}

// judgesPayloads reports whether the policy, if it is compiled, is for payloads.
func (p *policy) judgesPayloads() bool { return p.compiled != nil && p.compiled.JudgesPayloads() }

// meansPayloads reports whether a result that names nothing is about the payloads: there are some, and there is no resource
// or a policy that is for payloads.
func (t *test) meansPayloads(r *result) bool {
	if len(t.payloads) == 0 || len(t.objects) == 0 {
		return len(t.payloads) > 0
	}
	for _, p := range t.policiesOf(r) {
		if p.judgesPayloads() {
			return true
		}
	}
	return false
}

// judgeAsPayload asks the policies on payloads, which in a test judge resources as well, as the JSON values that they are.
func (t *test) judgeAsPayload(ctx context.Context, o *object) []verdict {
	var value any = o.value
	if o.payload != nil {
		value = *o.payload
	}
	out := []verdict{}
	for _, p := range t.policies {
		if !p.judgesPayloads() {
			continue
		}
		decisions := p.snapshot.Payload(ctx, value, &engine.Inputs{
			Lookups: &t.world, Now: time.Now, Rand: rand.Reader,
			Given: t.values.lookups(p.name, t.values.given(p.name, o.name)),
		})
		if p.deletes() {
			out = append(out, p.deletions(o, decisions)...)
		} else {
			out = append(out, verdicts(p, o, decisions)...)
		}
	}
	return out
}
