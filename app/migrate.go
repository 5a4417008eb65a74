package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/bundle/migrate"
	"github.com/holdfast-io/holdfast/engine"
)

// MigrateFormats are those of a migration.
func MigrateFormats() []Format { return []Format{Table, YAML, JSON} }

// MigrateOptions are what `holdfast bundle migrate` takes.
type MigrateOptions struct {
	// Paths hold the policies; without any the shipped bundle is translated.
	Paths []string
	// Resources hold objects on which the translations are tried.
	Resources []string
	// Out is a folder to write the CEL policies to, one file for each policy that they come from; empty writes none.
	Out    string
	Output Format
}

// Migrated is the answer of a migration as JSON.
type migrated struct {
	Policies []migratedPolicy `json:"policies"`
	Summary  migrateSummary   `json:"summary"`
}

type migratedPolicy struct {
	File string `json:"file"`
	Line int    `json:"line"`
	migrate.Result
	// Problem says why the policy could not be read.
	Problem string `json:"problem,omitempty"`
}

type migrateSummary struct {
	Policies   int `json:"policies"`   // all
	Whole      int `json:"whole"`      // of which each rule was translated
	Rules      int `json:"rules"`      // all
	Translated int `json:"translated"` // rules
	Compared   int `json:"compared"`   // requests on which both were run
	Unreadable int `json:"unreadable,omitempty"`
}

// BundleMigrate translates policies to CEL and says what became of each rule. A rule that stays is a finding.
func BundleMigrate(ctx context.Context, opts MigrateOptions, streams IO) (Exit, error) {
	resources, err := documentsOf(ctx, opts.Resources, streams)
	if err != nil {
		return Failed, err
	}
	policies, err := policiesOf(ctx, opts.Paths, streams)
	if err != nil {
		return Failed, err
	}
	objects := make([]map[string]any, len(resources))
	for i, d := range resources {
		objects[i] = engine.Normalize(d.Object)
	}
	m, err := migrate.New(migrate.Options{Resources: objects, Now: time.Now()})
	if err != nil {
		return Failed, err
	}
	out := migrated{Policies: []migratedPolicy{}}
	bar := newProgress(streams, "translating", len(policies))
	for _, d := range policies {
		one := migratedPolicy{File: d.Start().File, Line: d.Start().Line}
		result, err := m.Translate(ctx, d.Object)
		switch {
		case ctx.Err() != nil:
			return Failed, fmt.Errorf("translating %s: %w", one.File, ctx.Err())
		case err != nil:
			one.Kind, one.Name, one.Problem = d.Kind(), nameOf(d.Object), err.Error()
		default:
			one.Result = *result
		}
		out.add(one)
		bar.step()
	}
	bar.stop()
	if opts.Out != "" {
		if err := out.write(opts.Out); err != nil {
			return Failed, err
		}
	}
	exit := Clean
	if out.Summary.Translated < out.Summary.Rules || out.Summary.Unreadable > 0 {
		exit = Findings
	}
	switch opts.Output {
	case JSON:
		return exit, printJSON(streams.Out, out)
	case YAML:
		return exit, out.yaml(streams)
	default:
		return exit, out.table(streams, opts.Out)
	}
}

func nameOf(object map[string]any) string {
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	return name
}

// documentsOf reads all documents of the paths.
func documentsOf(ctx context.Context, paths []string, streams IO) ([]*manifest.Document, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	files, err := manifest.Find(paths, streams.In)
	if err != nil {
		return nil, err
	}
	return readDocuments(ctx, files)
}

func readDocuments(ctx context.Context, files []manifest.File) ([]*manifest.Document, error) {
	var out []*manifest.Document
	for i := range files {
		data, err := files[i].Read(ctx)
		if err != nil {
			return nil, err
		}
		documents, errs := manifest.Parse(files[i].Name, data)
		if len(errs) > 0 && !files[i].Walked {
			return nil, fmt.Errorf("%s: %s", errs[0].Position, errs[0].Message)
		}
		out = append(out, documents...)
	}
	return out, nil
}

// policiesOf reads the ClusterPolicies and Policies of the paths.
func policiesOf(ctx context.Context, paths []string, streams IO) ([]*manifest.Document, error) {
	sources := BundleSources(paths, streams)
	var documents []*manifest.Document
	var err error
	if sources.FS != nil {
		files, err := manifest.FindFS(sources.FS, sources.FSName)
		if err != nil {
			return nil, err
		}
		if documents, err = readDocuments(ctx, files); err != nil {
			return nil, err
		}
	} else if documents, err = documentsOf(ctx, paths, streams); err != nil {
		return nil, err
	}
	documents = slices.DeleteFunc(documents, func(d *manifest.Document) bool {
		group, _, _ := strings.Cut(d.APIVersion(), "/")
		return group != bundle.Group || d.Kind() != "ClusterPolicy" && d.Kind() != "Policy" || d.Object["spec"] == nil
	})
	if len(documents) == 0 {
		return nil, errors.New("nothing to translate: expected a kyverno.io ClusterPolicy or Policy")
	}
	return documents, nil
}

func (m *migrated) add(one migratedPolicy) {
	m.Policies = append(m.Policies, one)
	s := &m.Summary
	s.Policies++
	if one.Problem != "" {
		s.Unreadable++
		return
	}
	whole := true
	for i := range one.Rules {
		r := &one.Rules[i]
		s.Rules++
		s.Compared += r.Compared
		if r.Translated() {
			s.Translated++
		} else {
			whole = false
		}
	}
	if whole {
		s.Whole++
	}
}

// write writes a file for each policy that became others, named for it.
func (m *migrated) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	written := map[string]bool{}
	for i := range m.Policies {
		p := &m.Policies[i]
		text, err := p.YAML()
		if err != nil {
			return err
		}
		if len(text) == 0 {
			continue
		}
		name := strings.Trim(p.Namespace+"."+p.Name, ".") + ".yaml"
		if written[name] {
			return fmt.Errorf("two policies are called %s: translate them into folders of their own", p.Name)
		}
		written[name] = true
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return fmt.Errorf("writing a policy: %w", err)
		}
	}
	return nil
}

// yaml writes all policies as one stream, and the rules that stay to Err.
func (m *migrated) yaml(streams IO) error {
	first := true
	for i := range m.Policies {
		text, err := m.Policies[i].YAML()
		if err != nil {
			return err
		}
		if len(text) == 0 {
			continue
		}
		if !first {
			text = append([]byte("---\n"), text...)
		}
		first = false
		if err := printf(streams.Out, "%s", text); err != nil {
			return err
		}
	}
	p := printer{w: streams.Err}
	m.stays(&p)
	return p.err
}

// table says what became of each rule, and why the others stay.
func (m *migrated) table(streams IO, folder string) error {
	p := printer{w: streams.Out}
	for i := range m.Policies {
		one := &m.Policies[i]
		for j := range one.Rules {
			r := &one.Rules[j]
			if !r.Translated() {
				continue
			}
			p.printf("+ %s rule %s\n", one.key(), r.Name)
			for _, made := range r.Policies {
				p.printf("    %s/%s\n", made.Kind, made.Name)
			}
			for _, note := range r.Notes {
				p.printf("    note: %s\n", note)
			}
		}
	}
	m.stays(&p)
	s := m.Summary
	p.printf("%d of %s translated, %d of %s whole; agreed on %s\n", s.Translated, count(s.Rules, "rule", "rules"),
		s.Whole, count(s.Policies, "policy", "policies"), count(s.Compared, "request", "requests"))
	if folder != "" {
		p.printf("written to %s\n", folder)
	}
	return p.err
}

func (m *migrated) stays(p *printer) {
	for i := range m.Policies {
		one := &m.Policies[i]
		if one.Problem != "" {
			p.printf("! %s:%d: %s: %s\n", one.File, one.Line, one.key(), one.Problem)
		}
		for j := range one.Rules {
			r := &one.Rules[j]
			if r.Translated() {
				continue
			}
			p.printf("- %s rule %s stays\n    %s\n", one.key(), r.Name, joinNonEmptyText(": ", r.Path, r.Reason))
			if c := r.Counterexample; c != nil {
				p.printf("    object: %s\n", brief(c.Object))
			}
		}
	}
}

func joinNonEmptyText(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator)
}

func (p *migratedPolicy) key() string {
	if p.Namespace == "" {
		return p.Kind + "/" + p.Name
	}
	return p.Kind + "/" + p.Namespace + "/" + p.Name
}
