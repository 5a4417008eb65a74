package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/diagnose"
)

// DiagnoseOptions are what `holdfast diagnose` takes.
type DiagnoseOptions struct {
	// Kubeconfig leads to the cluster; empty means the usual places.
	Kubeconfig string
	// Namespace is where the replicas run.
	Namespace string
	// URLs are where replicas answer that are not reached through the API server.
	URLs []string
	// Logs are files that such replicas log to.
	Logs []string
	// Out is the file of the archive, which must not be there yet; empty for one in this folder, named by the time.
	Out string
	// Version and Commit of the program.
	Version, Commit string
}

// Validate names the first option that cannot be.
func (o *DiagnoseOptions) Validate() error {
	return (&StatusOptions{Namespace: o.Namespace, URLs: o.URLs}).Validate()
}

// Diagnose gathers what is known of the replicas and their cluster into an archive, and says what looks wrong. Anything
// that does makes the exit code Findings, and so does what could not be looked at.
func Diagnose(ctx context.Context, opts DiagnoseOptions, streams IO) (Exit, error) {
	now := time.Now()
	a := diagnose.New(now)
	clients, err := connect(userKubeconfig(opts.Kubeconfig), opts.Version, streams.Log)
	if err != nil {
		return Failed, err
	}
	defer clients.close()
	replicas := replicasAt(opts.URLs)
	if len(opts.URLs) == 0 {
		if replicas, err = replicasIn(ctx, clients.kube, opts.Namespace); err != nil {
			a.Missed("the replicas", err)
		}
	}
	answered, err := addStatus(ctx, a, replicas, now)
	if err != nil {
		return Failed, err
	}
	gather := diagnose.Options{Client: clients.kube, Namespace: opts.Namespace, Now: now}
	for _, r := range replicas {
		gather.Replicas = append(gather.Replicas, diagnose.Replica{Name: r.name, Get: r.get})
	}
	diagnose.Gather(ctx, a, gather)
	if a.File("kubernetes.yaml") == nil && answered == 0 {
		return Failed, fmt.Errorf("neither the cluster nor a replica answers: %s", strings.Join(a.Missing, "; "))
	}
	for _, path := range opts.Logs {
		addLog(a, path)
	}
	addVersions(a, &opts, answered)
	summary := sumUp(a, len(replicas), opts.Namespace)
	a.Add("summary.txt", []byte(summary))
	path, err := keep(a, opts.Out)
	if err != nil {
		return Failed, err
	}
	if err := printf(streams.Out, "%s\nwrote %s with %s: it holds no Secret, and what looked like one is taken out; read it before you pass it on\n",
		summary, path, count(len(a.Files()), "file", "files")); err != nil {
		return Failed, err
	}
	if len(a.Problems)+len(a.Missing) > 0 {
		return Findings, nil
	}
	return Clean, nil
}

// addStatus adds what the replicas say of themselves, and gives how many did.
func addStatus(ctx context.Context, a *diagnose.Archive, replicas []asked, now time.Time) (answered int, err error) {
	if len(replicas) == 0 {
		return 0, nil
	}
	all := statusOf(ctx, replicas)
	for i := range all {
		if all[i].Status == nil {
			continue // a gap says why
		}
		answered++
		raw, err := json.MarshalIndent(all[i].Status, "", "  ")
		if err != nil {
			return 0, fmt.Errorf("writing the status of %s: %w", all[i].Name, err)
		}
		a.Add("status/"+diagnose.FileName(all[i].Name)+".json", raw)
	}
	s := together(all)
	var table bytes.Buffer
	if err := s.write(&table, now); err != nil {
		return 0, fmt.Errorf("writing the status: %w", err)
	}
	a.Add("status/summary.txt", table.Bytes())
	for _, gap := range s.Gaps {
		a.Found("%s", gap)
	}
	versions := map[string]bool{}
	for i := range all {
		if all[i].Status != nil && all[i].Status.Version != "" {
			versions[all[i].Status.Version] = true
		}
	}
	if len(versions) > 1 {
		a.Found("replicas are of different versions: %s", strings.Join(slices.Sorted(maps.Keys(versions)), ", "))
	}
	return answered, nil
}

// addVersions notes which program gathered this.
func addVersions(a *diagnose.Archive, opts *DiagnoseOptions, answered int) {
	a.Add("holdfast.txt", []byte(fmt.Sprintf("gathered by holdfast %s (commit %s) at %s; %s answered\n",
		opts.Version, opts.Commit, a.At.UTC().Format(time.RFC3339), count(answered, "replica", "replicas"))))
}

// addLog adds the end of a file.
func addLog(a *diagnose.Archive, path string) {
	const end = 4 << 20 // more than is kept of it
	file, err := os.Open(path)
	if err != nil {
		a.Missed("the log "+path, err)
		return
	}
	defer func() { _ = file.Close() }() // it was read
	if info, err := file.Stat(); err == nil && info.Size() > end {
		_, err = file.Seek(-end, io.SeekEnd)
		if err != nil {
			a.Missed("the log "+path, err)
			return
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, end))
	if err != nil {
		a.Missed("the log "+path, err)
		return
	}
	a.Log("logs/"+filepath.Base(path), path, text)
}

// sumUp says what looks wrong, and what could not be looked at.
func sumUp(a *diagnose.Archive, replicas int, namespace string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "looked at %s in namespace %s\n", count(replicas, "replica", "replicas"), namespace)
	if len(a.Problems) == 0 {
		b.WriteString("\nnothing looks wrong\n")
	} else {
		b.WriteString("\nwhat looks wrong:\n")
	}
	for _, p := range a.Problems {
		fmt.Fprintf(&b, "  - %s\n", plainCell(p))
	}
	if len(a.Missing) > 0 {
		b.WriteString("\nwhat could not be looked at:\n")
	}
	for _, m := range a.Missing {
		fmt.Fprintf(&b, "  - %s\n", plainCell(m))
	}
	return b.String()
}

// keep writes the archive to a new file that nobody else reads, and gives its path.
func keep(a *diagnose.Archive, path string) (_ string, err error) {
	if path == "" {
		path = a.Name + ".tar.gz"
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("writing the archive: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return path, a.Write(file)
}
