package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report"
)

// AuditOptions are what `holdfast audit` takes.
type AuditOptions struct {
	// Paths are files, folders and - for standard input. Not with Cluster.
	Paths []string
	// Payloads are files, folders and - for standard input with any JSON values, for the policies whose mode is JSON. They
	// may stand in the place of Paths or beside them.
	Payloads []string
	// Cluster, if set, is swept in the place of files.
	Cluster ClusterAuditor
	// Bundle are the bundle's paths; none means the shipped one.
	Bundle []string
	// Packs say which of its policies are in force, and how.
	Packs  PackOptions
	Output Format
	// Baseline is the file of an earlier audit as JSON: what it has is counted, and is no finding any more. Empty for none.
	Baseline string
	// Patches is the folder for reconcile patches; empty writes none.
	Patches string
	// Namespace is where an object in a file is taken to be that names none.
	Namespace string
	FailOn    FailOn
	// All shows what passed and what was skipped in a table as well.
	All bool
	// Version of the program, for formats that name the tool.
	Version string
}

// Judged is one object with what the rules say of it.
type Judged struct {
	Subject  report.Subject
	Mutation engine.Mutation
	// Place finds where a path of a decision is written; nil for objects that are in no file.
	Place func(path string) report.Origin
	// Since says of each decision how the object came to it; nil for objects in files.
	Since []*report.Since
}

// ClusterAuditor sweeps a live cluster once. It hands each object to found, one at a time, and says what it
// looked at; an error means that it could not begin.
type ClusterAuditor interface {
	Audit(ctx context.Context, s *engine.Snapshot, found func(Judged)) ([]report.Coverage, error)
}

// Audit judges files, or a cluster, by the bundle and writes what it found. What cannot be read does not
// keep the rest from being judged, but makes the exit code Failed.
func Audit(ctx context.Context, opts AuditOptions, streams IO) (Exit, error) {
	snapshot, _, err := load(ctx, opts.Bundle, opts.Packs, streams)
	if err != nil {
		return Failed, err
	}
	baseline, err := readBaseline(opts.Baseline)
	if err != nil {
		return Failed, err
	}
	started := time.Now()
	a := gathered{}
	if opts.Cluster != nil {
		a.document.Coverage, err = opts.Cluster.Audit(ctx, snapshot, a.add)
	} else if len(opts.Paths) > 0 {
		err = a.files(ctx, opts, snapshot, streams)
	}
	if err == nil && len(opts.Payloads) > 0 {
		err = a.payloads(ctx, opts, snapshot, streams)
	}
	if err != nil {
		return Failed, err
	}
	a.document.Bundle = report.Bundle{Digest: snapshot.Digest(), Policies: len(snapshot.Policies())}
	a.document.Summary = report.Summarize(a.document.Results)
	report.Sort(a.document.Results)
	if baseline != nil {
		a.document.Since(baseline)
	}
	report.SortCoverage(a.document.Coverage)
	streams.Log.Debug("audited", "objects", a.objects, "results", len(a.document.Results), "took", time.Since(started))

	if err := write(&a.document, opts, snapshot, streams); err != nil {
		return Failed, err
	}
	if opts.Patches != "" {
		if err := writePatches(opts.Patches, a.drifted, streams.Err); err != nil {
			return Failed, err
		}
	}
	for _, c := range a.document.Coverage {
		if c.Error != "" {
			if err := sayGap(streams.Err, c, opts.Output); err != nil {
				return Failed, err
			}
		}
	}
	switch {
	case !a.document.Complete():
		return Failed, nil
	case opts.FailOn.exceeded(a.document.Results):
		return Findings, nil
	}
	return Clean, nil
}

// readBaseline reads the document of an earlier audit, if there is a path.
func readBaseline(path string) (_ *report.Document, err error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the baseline: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	document, err := report.ReadBaseline(file)
	if err != nil {
		return nil, fmt.Errorf("reading the baseline: %s: %w", path, err)
	}
	return document, nil
}

// sayGap tells on standard error what was not looked at: a table and the log of a job have it too, other formats may
// go unread.
func sayGap(w io.Writer, c report.Coverage, output Format) error {
	if output == Table || output == GitHub {
		return nil
	}
	return printf(w, "not audited: %s: %s\n", c.Place(), c.Error)
}

// gathered is what is found.
type gathered struct {
	document report.Document
	objects  int
	drifted  []Judged // objects with a patch, or whose rules want something of others
}

func (a *gathered) add(j Judged) {
	a.objects++
	for i := range j.Mutation.Decisions {
		d := &j.Mutation.Decisions[i]
		r := report.FromDecision(d, j.Subject)
		if j.Place != nil {
			r.Place(j.Place(d.Path))
		}
		if j.Since != nil {
			r.Tell(j.Since[i])
		}
		a.document.Results = append(a.document.Results, r)
	}
	if len(j.Mutation.Patch) > 0 || slices.ContainsFunc(j.Mutation.Decisions, func(d engine.Decision) bool { return len(d.Changes) > 0 }) {
		a.drifted = append(a.drifted, j)
	}
}

// files judges the objects of the paths, as many at a time as there are processors, and gathers the results
// in the order of the input.
func (a *gathered) files(ctx context.Context, opts AuditOptions, snapshot *engine.Snapshot, streams IO) error {
	in, err := readObjects(ctx, opts.Paths, opts.Namespace, streams)
	if err != nil {
		return err
	}
	bar := newProgress(streams, "judging", len(in.objects))
	defer bar.stop()
	judged := make([]Judged, len(in.objects))
	gaps := make([]error, len(in.objects))
	inputs := in.inputs()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range in.objects {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("judging: %w", err)
			}
			object := &in.objects[i]
			judged[i] = Judged{Subject: object.subject(), Place: object.place}
			judged[i].Mutation, gaps[i] = snapshot.Audit(ctx, &object.request, inputs)
			bar.step()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, err := range gaps {
		a.add(judged[i])
		if err != nil {
			in.gap(in.objects[i].document.Start(), err.Error())
		}
	}
	a.document.Coverage = in.coverage
	return nil
}

// place finds where a decision's path is written in the object's file.
func (in *input) place(path string) report.Origin {
	start := in.document.Start()
	at := start
	if path != "" {
		at = in.document.Position(manifest.FindPath(in.request.Object, path))
	}
	return report.Origin{File: start.File, ObjectLine: start.Line, Line: at.Line, Column: at.Column}
}

// Validate names the first option that cannot be.
func (o *AuditOptions) Validate() error {
	switch {
	case o.Cluster == nil && len(o.Paths) == 0 && len(o.Payloads) == 0:
		return errors.New("nothing to audit: expected files, folders, or - for standard input")
	case o.Cluster != nil && len(o.Paths)+len(o.Payloads) > 0:
		return errors.New("files and a cluster cannot be audited at once")
	case usesStdin(slices.Concat(o.Paths, o.Payloads)) && usesStdin(o.Bundle):
		return errors.New("standard input cannot be both the bundle and what is audited")
	case usesStdin(o.Paths) && usesStdin(o.Payloads):
		return errors.New("standard input cannot be both manifests and payloads")
	}
	return o.Packs.Validate()
}

func usesStdin(paths []string) bool {
	for _, p := range paths {
		if p == manifest.Stdin {
			return true
		}
	}
	return false
}
