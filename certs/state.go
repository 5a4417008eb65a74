package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// The keys under which a Secret holds the state, and the files of a state directory.
const (
	keyBundle  = "ca.crt"   // the CA that signs, then the others that are trusted: staged or retired
	keyCA      = "ca.key"   // of the first certificate of the bundle
	keyStaged  = "next.crt" // the CA that will sign next
	keyNext    = "next.key"
	keyLeaf    = "tls.crt"
	keyLeafKey = "tls.key"
)

// state is all that a CA of our own has. It is not changed in place.
type state struct {
	// signing is the CA that signs.
	signing *pair
	// staged will sign next; nil when no change is under way.
	staged *pair
	// retired signs no more; certificates of it may still be in use.
	retired []*x509.Certificate
	// leaf is the certificate to serve; nil when it could not be read.
	leaf *pair
}

// bundle lists the CAs to trust, the one that signs first.
func (s *state) bundle() []*x509.Certificate {
	out := []*x509.Certificate{s.signing.cert}
	if s.staged != nil {
		out = append(out, s.staged.cert)
	}
	return append(out, s.retired...)
}

// served is what clients meet of the state.
func (s *state) served() *served {
	bundle := s.bundle()
	return &served{
		leaf: &tls.Certificate{
			Certificate: [][]byte{s.leaf.cert.Raw}, PrivateKey: s.leaf.key, Leaf: s.leaf.cert,
		},
		bundle: encodeCerts(bundle...), cas: bundle,
	}
}

// encode writes the state as the data of a Secret.
func (s *state) encode() (map[string][]byte, error) {
	out := map[string][]byte{keyBundle: encodeCerts(s.bundle()...), keyLeaf: encodeCerts(s.leaf.cert)}
	var err error
	if out[keyCA], err = encodeKey(s.signing.key); err != nil {
		return nil, err
	}
	if out[keyLeafKey], err = encodeKey(s.leaf.key); err != nil {
		return nil, err
	}
	if s.staged != nil {
		out[keyStaged] = encodeCerts(s.staged.cert)
		if out[keyNext], err = encodeKey(s.staged.key); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decodeState reads what encode wrote. The CA that signs must be whole; without it there is nothing to go
// on with. A staged CA or a leaf that is not whole is left out, and made anew.
func decodeState(data map[string][]byte) (*state, error) {
	bundle, err := decodeCerts(data[keyBundle])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyBundle, err)
	}
	key, err := decodeKey(data[keyCA], bundle[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyCA, err)
	}
	s := &state{signing: &pair{cert: bundle[0], key: key}, retired: bundle[1:]}
	s.staged = decodePair(data[keyStaged], data[keyNext])
	if s.staged != nil {
		// A CA that is not in the bundle has not been staged for anybody.
		i := slices.IndexFunc(s.retired, func(c *x509.Certificate) bool { return bytes.Equal(c.Raw, s.staged.cert.Raw) })
		if i < 0 {
			s.staged = nil
		} else {
			s.retired = slices.Delete(slices.Clone(s.retired), i, i+1)
		}
	}
	if leaf := decodePair(data[keyLeaf], data[keyLeafKey]); leaf != nil && leaf.cert.CheckSignatureFrom(s.signing.cert) == nil {
		s.leaf = leaf
	}
	return s, nil
}

// decodePair reads a certificate with its key; nil when one of them is not there or not whole.
func decodePair(certText, keyText []byte) *pair {
	certs, err := decodeCerts(certText)
	if err != nil {
		return nil
	}
	key, err := decodeKey(keyText, certs[0])
	if err != nil {
		return nil
	}
	return &pair{cert: certs[0], key: key}
}
