package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// callers are who may send reviews: those whose client certificate a CA has signed. An API server shows one if its admission
// configuration has a kubeconfig for webhooks.
//
// Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#authenticate-apiservers
type callers struct {
	roots *x509.CertPool
	// names are those that a certificate may be for, as its common name or as a DNS name; none for any.
	names []string

	mu sync.Mutex
	// known are the certificates that were found good, which saves a signature for each review: a connection keeps its own.
	known map[*x509.Certificate]struct{}
}

// maxKnownCallers is some times the API servers of a cluster. Beyond, they are looked at anew.
const maxKnownCallers = 64

// newCallers reads the CA from a file, as PEM.
func newCallers(file string, names []string) (*callers, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--client-ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--client-ca-file: %s has no certificate", file)
	}
	return &callers{roots: roots, names: names, known: map[*x509.Certificate]struct{}{}}, nil
}

// only lets through to next those who may.
func (c *callers) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.admits(r, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (c *callers) admits(r *http.Request, now time.Time) error {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return errors.New("expected a client certificate")
	}
	shown := r.TLS.PeerCertificates[0]
	c.mu.Lock()
	_, known := c.known[shown]
	c.mu.Unlock()
	if known && now.Before(shown.NotAfter) {
		return nil
	}
	between := x509.NewCertPool()
	for _, issuer := range r.TLS.PeerCertificates[1:] {
		between.AddCert(issuer)
	}
	_, err := shown.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("the client certificate is not trusted: %w", err)
	}
	if len(c.names) > 0 && !slices.ContainsFunc(append(slices.Clone(shown.DNSNames), shown.Subject.CommonName), func(n string) bool { return slices.Contains(c.names, n) }) {
		return fmt.Errorf("the client certificate is for %q: expected one of %q", shown.Subject.CommonName, c.names)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnownCallers {
		clear(c.known)
	}
	c.known[shown] = struct{}{}
	return nil
}
