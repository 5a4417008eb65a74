package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// step is a change of the state.
type step uint8

const (
	rest    step = iota // nothing is due
	found               // make a CA and a leaf; what was there cannot be used
	stage               // make the next CA and let it be trusted
	promote             // let the staged CA sign, and serve a leaf of it
	retire              // trust no longer the CA that signed before
	renew               // make a new leaf
)

func (s step) String() string {
	return [...]string{"rest", "found", "stage", "promote", "retire", "renew"}[s]
}

// issuer is the CA's rules: plans and steps are made of them, the time, and a state.
type issuer struct {
	lifetimes Lifetimes
	names     []string
}

// plan says what is due for the state (nil: there is none), or when something will be.
func (i *issuer) plan(s *state, now time.Time) (step, time.Time) {
	if s == nil {
		return found, now
	}
	l := &i.lifetimes
	usable := func(c *x509.Certificate) bool { return !now.Before(c.NotBefore) && now.Before(c.NotAfter) }
	if !usable(s.signing.cert) {
		if s.staged != nil && usable(s.staged.cert) {
			return promote, now
		}
		return found, now
	}
	if !i.leafGood(s, now) {
		return renew, now
	}
	next := s.leaf.cert.NotAfter.Add(-l.LeafRenewBefore)
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if s.staged == nil {
		at := s.signing.cert.NotAfter.Add(-l.CARenewBefore)
		if !now.Before(at) {
			return stage, now
		}
		earlier(at)
	} else {
		at := s.staged.issued().Add(l.Overlap)
		if !now.Before(at) {
			return promote, now
		}
		earlier(at)
	}
	if len(s.retired) > 0 {
		at := s.leaf.issued().Add(l.Overlap)
		if !now.Before(at) {
			return retire, now
		}
		earlier(at)
	}
	if !next.After(now) {
		// The leaf is old, and its CA gives it no longer life: the next CA will.
		next = now.Add(l.Overlap)
	}
	return rest, next
}

// leafGood reports whether the leaf can be served for a while yet, or cannot be bettered.
func (i *issuer) leafGood(s *state, now time.Time) bool {
	if s.leaf == nil || !isFor(s.leaf.cert, i.names) || now.Before(s.leaf.cert.NotBefore) {
		return false
	}
	if now.Before(s.leaf.cert.NotAfter.Add(-i.lifetimes.LeafRenewBefore)) {
		return true
	}
	return !s.leaf.cert.NotAfter.Before(s.signing.cert.NotAfter) && now.Before(s.leaf.cert.NotAfter)
}

// perform takes a step and gives the state after it.
func (i *issuer) perform(what step, s *state, now time.Time) (*state, error) {
	next := &state{}
	if s != nil {
		*next = *s
	}
	var err error
	switch what {
	case found:
		if s != nil {
			// Other replicas may serve what it signed until they see the new one.
			next.retired = append(slices.Clone(s.retired), s.signing.cert)
			next.staged = nil
		}
		if next.signing, err = newCA(now, now.Add(i.lifetimes.CA)); err == nil {
			err = i.sign(next, now)
		}
	case stage:
		next.staged, err = newCA(now, now.Add(i.lifetimes.CA))
	case promote:
		next.retired = append(slices.Clone(s.retired), s.signing.cert)
		next.signing, next.staged = s.staged, nil
		err = i.sign(next, now)
	case retire:
		next.retired = nil
	case renew:
		err = i.sign(next, now)
	}
	if err != nil {
		return nil, fmt.Errorf("to %s: %w", what, err)
	}
	return next, nil
}

func (i *issuer) sign(s *state, now time.Time) (err error) {
	s.leaf, err = newLeaf(s.signing, i.names, now, now.Add(i.lifetimes.Leaf))
	return err
}
