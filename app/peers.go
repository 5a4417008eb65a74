package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/webhook"
)

// Who audits asks the replicas that admit which write left a trace, because each remembers only the writes that it was asked
// about itself. They ask each other on the webhook's port, by its certificate on both sides: whoever has the key can
// answer the API server in Holdfast's name, and may know who wrote what.

// writesPath is where replicas are asked.
const writesPath = "/writes"

// recollection is a replica's answer.
type recollection struct {
	// Write is the one that left the trace; missing if it is not known.
	Write *webhook.Remembered `json:"write,omitempty"`
	// Since is from when on every write is known that this replica let pass.
	Since time.Time `json:"since"`
}

// identity is what replicas know each other by.
type identity interface {
	TLSConfig() *tls.Config
	CABundle() []byte
}

// recall answers other replicas from the memory.
type recall struct {
	memory *webhook.Memory
	of     identity
	host   string // that the certificate is for
}

// maxTrace bounds a question: a trace has names of 256 bytes at most.
const maxTrace = 4 << 10

func (r recall) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := r.admits(req.TLS); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if req.Method != http.MethodPost {
		http.Error(w, "expected POST", http.StatusMethodNotAllowed)
		return
	}
	var trace webhook.Trace
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxTrace)).Decode(&trace); err != nil {
		http.Error(w, "expected a trace: "+err.Error(), http.StatusBadRequest)
		return
	}
	answer := recollection{Since: r.memory.Since()} // before the look, so that it never says too much
	if write, ok := r.memory.Recall(trace); ok {
		answer.Write = &write
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // whoever asked may be gone
}

// admits checks that the client has the key of a certificate like our own.
func (r recall) admits(state *tls.ConnectionState) error {
	if state == nil || len(state.PeerCertificates) == 0 {
		return errors.New("expected a client certificate")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.of.CABundle())
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, DNSName: r.host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("the client certificate is none of ours: %w", err)
	}
	return nil
}

// asksForCertificates lets clients show one, and leaves it to the handlers who has to.
func asksForCertificates(c *tls.Config) *tls.Config {
	c.ClientAuth = tls.RequestClientCert
	return c
}

// peers are the replicas that admit.
type peers struct {
	of   identity
	host string
	// addresses gives where they are, and false while that is not known.
	addresses func() ([]string, bool)
	metrics   *prometheus.CounterVec

	mu     sync.Mutex
	client *http.Client
	bundle string // that client trusts
	// silent are those that did not answer, until they are asked again.
	silent map[string]time.Time
	// last are those that there were at the last question, and left is when one of them was found gone, or when the first
	// question could have been: what it remembered of writes before that, nobody knows any more.
	last []string
	left time.Time
}

const (
	// peerTimeout is how long the replicas together may take: they answer from memory, and the audit waits.
	peerTimeout = 300 * time.Millisecond
	// peerPause is how long one that did not answer is left alone, so that it costs the audit its time rarely.
	peerPause = 10 * time.Second
	// maxPeers bounds how many are asked: more replicas than anybody runs.
	maxPeers = 32
	// askedFor bounds the age of a write that is asked for. Memories are shorter where it matters, and the first list of
	// an auditor would ask about each object.
	askedFor = 10 * time.Minute
)

func newPeers(of identity, host string, addresses func() ([]string, bool), reg prometheus.Registerer) (*peers, error) {
	p := &peers{of: of, host: host, addresses: addresses, silent: map[string]time.Time{}, left: time.Now(), metrics: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_audit_replicas_asked_total",
		Help: "Questions to other replicas about who wrote what, by outcome: known, unknown, failed.",
	}, []string{"outcome"})}
	if err := reg.Register(p.metrics); err != nil {
		return nil, fmt.Errorf("registering the metric of questions to replicas: %w", err)
	}
	return p, nil
}

// recall asks all at once. complete says that a write of that time would be known to one of them.
func (p *peers) recall(ctx context.Context, t webhook.Trace, at time.Time) (write *webhook.Remembered, complete bool) {
	if time.Since(at) > askedFor {
		return nil, false
	}
	addresses, known := p.addresses()
	client, err := p.trusting()
	if !known || err != nil || len(addresses) > maxPeers {
		return nil, false
	}
	question, err := json.Marshal(t)
	if err != nil {
		return nil, false // it is made of texts and a number
	}
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	answers := make([]*recollection, len(addresses))
	var asked sync.WaitGroup
	for i, address := range addresses {
		if !p.talks(address) {
			continue
		}
		asked.Go(func() {
			answer, err := ask(ctx, client, address, question)
			p.count(address, answer, err)
			if err == nil {
				answers[i] = answer
			}
		})
	}
	asked.Wait()
	complete = len(addresses) > 0 && at.After(p.leaving(addresses).Add(clocks))
	for _, a := range answers {
		switch {
		case a == nil:
			complete = false
		case a.Write != nil:
			return a.Write, true
		case !at.After(a.Since.Add(clocks)):
			complete = false
		}
	}
	return nil, complete
}

func ask(ctx context.Context, client *http.Client, address string, question []byte) (*recollection, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+writesPath, bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", address, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	const most = 64 << 10
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: it answers %s", address, resp.Status)
	}
	answer := &recollection{}
	if err := json.Unmarshal(body, answer); err != nil {
		return nil, fmt.Errorf("asking %s: %w", address, err)
	}
	return answer, nil
}

// talks reports whether the replica is asked now.
func (p *peers) talks(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().After(p.silent[address])
}

// leaving gives when the last of the replicas went that are no more.
func (p *peers) leaving(now []string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.last, func(address string) bool { return !slices.Contains(now, address) }) {
		p.left = time.Now()
	}
	p.last = now
	return p.left
}

func (p *peers) count(address string, answer *recollection, err error) {
	outcome := "unknown"
	switch {
	case err != nil:
		outcome = "failed"
		p.mu.Lock()
		if len(p.silent) > maxPeers {
			clear(p.silent) // of replicas that are no more
		}
		p.silent[address] = time.Now().Add(peerPause)
		p.mu.Unlock()
	case answer.Write != nil:
		outcome = "known"
	}
	p.metrics.WithLabelValues(outcome).Inc()
}

// trusting gives a client that trusts what the API server is told to trust now.
func (p *peers) trusting() (*http.Client, error) {
	bundle := p.of.CABundle()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil && p.bundle == string(bundle) {
		return p.client, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, errors.New("there is no CA yet")
	}
	if p.client != nil {
		p.client.CloseIdleConnections()
	}
	own := p.of.TLSConfig().GetCertificate
	p.bundle = string(bundle)
	p.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: p.host,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own(nil) },
		},
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, // as many as judge objects at a time
	}}
	return p.client, nil
}

func (p *peers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		p.client.CloseIdleConnections()
	}
}
