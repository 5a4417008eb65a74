package app

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report"
)

// payloadKind is what results and the coverage name as the kind of a payload, which has none. Its name is that of its file.
const payloadKind = "Payload"

// payloadTime is how long the policies may look at one payload: that is a file of any length, and the limits on expressions
// are made for objects of a cluster. An API server gives a webhook 30 s at most.
const payloadTime = 30 * time.Second

// payloads judges what the payload files hold by the policies on payloads.
func (a *gathered) payloads(ctx context.Context, opts AuditOptions, snapshot *engine.Snapshot, streams IO) error {
	snapshot = snapshot.Where(validatesPayloads)
	if len(snapshot.Policies()) == 0 {
		if err := printf(streams.Err, "warning: the bundle has no policy on payloads: expected a ValidatingPolicy with spec.evaluation.mode JSON\n"); err != nil {
			return err
		}
	}
	found, err := a.readPayloads(ctx, opts.Payloads, streams)
	if err != nil {
		return err
	}
	bar := newProgress(streams, "judging", len(found))
	defer bar.stop()
	decisions := make([][]engine.Decision, len(found))
	inputs := (&objectsInput{lookups: namespacesOf(nil)}).inputs()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range found {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("judging: %w", err)
			}
			in, done := context.WithTimeout(ctx, payloadTime)
			defer done()
			decisions[i] = snapshot.Payload(in, found[i].value.Value, inputs)
			bar.step()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range found {
		a.objects++
		for j := range decisions[i] {
			a.document.Results = append(a.document.Results, found[i].result(&decisions[i][j]))
		}
	}
	return nil
}

// validatesPayloads reports whether the policy has something to say of a payload by itself.
func validatesPayloads(p *engine.Policy) bool {
	return p.JudgesPayloads() && slices.ContainsFunc(p.Rules, func(r *engine.Rule) bool { return r.Kind == engine.Validate })
}

// payload is one value of a file.
type payload struct {
	value *manifest.Value
	name  string // of the file, and of several values in it, from the second on, with a number
}

// readPayloads reads the values of the files. What cannot be read is in the coverage.
func (a *gathered) readPayloads(ctx context.Context, paths []string, streams IO) ([]payload, error) {
	files, err := manifest.Find(paths, streams.In)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no *.yaml, *.yml or *.json file in %s", strings.Join(paths, ", "))
	}
	var out []payload
	for i := range files {
		data, err := files[i].Read(ctx)
		if err != nil {
			return nil, err
		}
		name := files[i].Name
		values, errs := manifest.ParseValues(name, data)
		for _, e := range errs {
			a.document.Coverage = append(a.document.Coverage, report.Coverage{Source: e.File, Line: e.Line, Column: e.Column, Kind: payloadKind, Error: e.Message})
		}
		seen := report.Coverage{Source: name, Kind: payloadKind, Objects: len(values)}
		if len(values) == 0 && len(errs) == 0 {
			seen.Error = "holds no payload: expected JSON or YAML"
		}
		if len(values) > 0 || seen.Error != "" {
			a.document.Coverage = append(a.document.Coverage, seen)
		}
		for n, v := range values {
			out = append(out, payload{v, name})
			if n > 0 {
				out[len(out)-1].name = fmt.Sprintf("%s#%d", name, n+1)
			}
		}
	}
	return out, nil
}

// result is the verdict of a rule on the payload. What looks like an object of a cluster is redacted as one.
func (p *payload) result(d *engine.Decision) report.Result {
	object, _ := p.value.Value.(map[string]any)
	like := report.Subject{Object: object}
	like.Resource.APIVersion, _ = object["apiVersion"].(string)
	like.Resource.Kind, _ = object["kind"].(string)
	r := report.FromDecision(d, like)
	r.Resources = []report.Resource{{Kind: payloadKind, Name: p.name}}
	start := p.value.Start()
	r.Place(report.Origin{File: start.File, ObjectLine: start.Line, Line: start.Line, Column: start.Column})
	return r
}
