package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync/atomic"
)

// Source brings certificates.
type Source interface {
	// Run keeps the certificate fresh until ctx ends. It is called once.
	Run(ctx context.Context) error
	// Ready is closed once there is a certificate.
	Ready() <-chan struct{}
	// TLSConfig serves the certificate of the moment, at each handshake.
	TLSConfig() *tls.Config
	// CABundle is what verifies the certificate of the moment and those to come next, as PEM; nil as long as
	// there is none. Not to be changed.
	CABundle() []byte
	// Changed receives after CABundle has changed, once for changes in quick succession. It is for one
	// reader.
	Changed() <-chan struct{}
}

// served is what clients meet. It is immutable.
type served struct {
	leaf   *tls.Certificate
	bundle []byte
	// cas are the certificates of the bundle.
	cas []*x509.Certificate
}

// current is what a source serves now, and the signals that tell of it.
type current struct {
	value   atomic.Pointer[served]
	ready   chan struct{}
	changed chan struct{}
}

func newCurrent() current {
	return current{ready: make(chan struct{}), changed: make(chan struct{}, 1)}
}

// set serves from now on. It has one caller at a time.
func (c *current) set(s *served) {
	before := c.value.Swap(s)
	if before == nil {
		close(c.ready)
	}
	if before == nil || string(before.bundle) != string(s.bundle) {
		select {
		case c.changed <- struct{}{}:
		default: // the reader has not taken the last one yet
		}
	}
}

// Ready is closed once there is a certificate.
func (c *current) Ready() <-chan struct{} { return c.ready }

// Changed receives after CABundle has changed.
func (c *current) Changed() <-chan struct{} { return c.changed }

// CABundle is what verifies the certificate, as PEM.
func (c *current) CABundle() []byte {
	if s := c.value.Load(); s != nil {
		return s.bundle
	}
	return nil
}

var errNoCertificate = errors.New("there is no certificate yet")

// TLSConfig serves the certificate of the moment. TLS 1.2 is the least, with suites that encrypt and
// authenticate at once (AEAD) and keys that are gone after the connection; TLS 1.3 has no others.
func (c *current) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if s := c.value.Load(); s != nil {
				return s.leaf, nil
			}
			return nil, errNoCertificate
		},
	}
}
