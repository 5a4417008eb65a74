package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"
)

// DirectoryOptions say where somebody else, such as cert-manager, puts certificates: tls.crt, tls.key and
// ca.crt, the keys of a kubernetes.io/tls Secret with its CA.
type DirectoryOptions struct {
	// Dir is where such a Secret is mounted. Required.
	Dir string
	// Overlap is how long a new CA is in the bundle before a certificate of it is served, if the one before
	// can be served for so long. Default: 2 minutes: a kubelet brings a changed Secret to all replicas
	// within about 90 seconds, and the bundle is in the webhook configurations seconds later.
	Overlap time.Duration
	// Logger default: nothing is written.
	Logger *slog.Logger
	// Metrics is where holdfast_certificate_expiry_seconds is registered. Default: nowhere.
	Metrics prometheus.Registerer
}

const (
	defaultDirectoryOverlap = 2 * time.Minute
	// reread is how often the directory is read although nothing has been heard of it: some file systems
	// tell nothing.
	reread = time.Minute
)

// Directory is a Source that serves what somebody else renews.
type Directory struct {
	current
	opts DirectoryOptions
	// serving is what was found when the certificate that is served now was.
	serving *served
	// pending is what was found since, and is served from then on: until then its CA is made known.
	pending *served
	from    time.Time
	// old are the CAs before the last change. They are trusted until then.
	old   []*x509.Certificate
	until time.Time
	// broken is the last complaint, so that it is logged once.
	broken string
}

// NewDirectory makes a Directory that has not read anything yet.
func NewDirectory(o DirectoryOptions) (*Directory, error) {
	switch {
	case o.Dir == "":
		return nil, errors.New("certificate options: Dir is missing")
	case o.Overlap < 0:
		return nil, fmt.Errorf("certificate options: Overlap is %s: expected a positive time, or 0 for the default", o.Overlap)
	case o.Overlap == 0:
		o.Overlap = defaultDirectoryOverlap
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Directory{current: newCurrent(), opts: o}
	return d, registerExpiry(o.Metrics, &d.current)
}

// Run reads the directory and follows its changes until ctx ends. What cannot be used is logged, and what was
// served before stays.
func (d *Directory) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", d.opts.Dir, err)
	}
	defer func() { _ = watcher.Close() }() // it only ends
	if err := watcher.Add(d.opts.Dir); err != nil {
		return fmt.Errorf("watching %s: %w", d.opts.Dir, err)
	}
	for {
		wait := d.settle(time.Now())
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-watcher.Events:
		case err := <-watcher.Errors:
			d.opts.Logger.WarnContext(ctx, "watching the certificates", "directory", d.opts.Dir, "error", err)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// settle reads the directory, serves what is due, and says how long to wait if nothing is heard.
func (d *Directory) settle(now time.Time) time.Duration {
	found, err := readDirectory(d.opts.Dir, now)
	switch {
	case err == nil:
		d.broken = ""
		d.take(found, now)
	case d.broken != err.Error():
		d.broken = err.Error()
		d.opts.Logger.Error("the certificates cannot be used; what was served before stays", "directory", d.opts.Dir, "error", err)
	}
	d.publish(now)
	wait := reread
	for _, due := range []time.Time{d.from, d.until} {
		if due.After(now) {
			wait = min(wait, due.Sub(now))
		}
	}
	return wait
}

// take decides from when to serve what was found.
func (d *Directory) take(found *served, now time.Time) {
	newest := d.serving
	if d.pending != nil {
		newest = d.pending
	}
	switch {
	case newest == nil:
		d.serving = found
		return
	case found.same(newest):
		return
	}
	d.opts.Logger.Info("read new certificates", "directory", d.opts.Dir, "leafExpires", found.leaf.Leaf.NotAfter)
	if verify(found.leaf, d.serving.cas, now) == nil {
		// Whoever knows the CAs of before can verify it.
		if !sameCerts(found.cas, d.serving.cas) {
			d.old, d.until = union(d.serving.cas, d.old), now.Add(d.opts.Overlap)
		}
		d.serving, d.pending = found, nil
		return
	}
	d.pending, d.from = found, now.Add(d.opts.Overlap)
	if end := d.serving.leaf.Leaf.NotAfter; end.Before(d.from) {
		d.from = end
	}
	d.old, d.until = union(d.serving.cas, d.old), d.from.Add(d.opts.Overlap)
}

// publish serves what is due, and trusts what is in use, was, or will be.
func (d *Directory) publish(now time.Time) {
	if d.serving == nil {
		return
	}
	if d.pending != nil && !now.Before(d.from) {
		d.serving, d.pending = d.pending, nil
	}
	if d.pending == nil && !now.Before(d.until) {
		d.old = nil
	}
	cas := d.serving.cas
	if d.pending != nil {
		cas = d.pending.cas
	}
	cas = union(cas, d.old)
	d.set(&served{leaf: d.serving.leaf, bundle: encodeCerts(cas...), cas: cas})
}

// readDirectory reads what is there, and makes sure that it can be served and verified.
func readDirectory(dir string, now time.Time) (*served, error) {
	texts := map[string][]byte{}
	for _, name := range []string{keyLeaf, keyLeafKey, keyBundle} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("reading the certificates: %w", err)
		}
		texts[name] = text
	}
	// X509KeyPair holds the key against the certificate: half of a change does not pass.
	leaf, err := tls.X509KeyPair(texts[keyLeaf], texts[keyLeafKey])
	if err != nil {
		return nil, fmt.Errorf("reading %s and %s: %w", keyLeaf, keyLeafKey, err)
	}
	cas, err := decodeCerts(texts[keyBundle])
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", keyBundle, err)
	}
	if err := verify(&leaf, cas, now); err != nil {
		return nil, fmt.Errorf("verifying %s by %s: %w", keyLeaf, keyBundle, err)
	}
	return &served{leaf: &leaf, bundle: encodeCerts(cas...), cas: cas}, nil
}

// verify holds the certificate, with the intermediates that come with it, against the CAs.
func verify(leaf *tls.Certificate, cas []*x509.Certificate, now time.Time) error {
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, ca := range cas {
		options.Roots.AddCert(ca)
	}
	for _, raw := range leaf.Certificate[1:] {
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			return err
		}
		options.Intermediates.AddCert(cert)
	}
	_, err := leaf.Leaf.Verify(options)
	return err
}

// same reports whether both hold the same certificates.
func (s *served) same(other *served) bool {
	return slices.EqualFunc(s.leaf.Certificate, other.leaf.Certificate, slices.Equal) && sameCerts(s.cas, other.cas)
}

func sameCerts(a, b []*x509.Certificate) bool {
	return slices.EqualFunc(a, b, func(x, y *x509.Certificate) bool { return x.Equal(y) })
}

// union lists all of both, once each.
func union(a, b []*x509.Certificate) []*x509.Certificate {
	out := slices.Clone(a)
	for _, c := range b {
		if !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	return out
}
