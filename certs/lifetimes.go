package certs

import (
	"errors"
	"fmt"
	"time"
)

// Lifetimes say how long certificates last and when their successors come. The zero value is the default.
type Lifetimes struct {
	// CA is how long a CA is valid. Default: 5 years. It signs for one host only, and its key lies beside the
	// certificate's: a short life would protect nothing.
	CA time.Duration
	// CARenewBefore is how long before its end a CA gets a successor. Default: 180 days, twice the life of a
	// leaf, so that no leaf has to end early because its CA does, even if the change comes late.
	CARenewBefore time.Duration
	// Leaf is how long a certificate is valid. Default: 90 days.
	Leaf time.Duration
	// LeafRenewBefore is how long before its end a leaf is replaced. Default: 30 days, in which somebody
	// notices what keeps it from being replaced.
	LeafRenewBefore time.Duration
	// Overlap is how long a new CA is in the bundle before it is used, and an old one stays after its last
	// use. Default: 1 hour. The bundle has to reach the webhook configurations and from there each API
	// server, which takes seconds; the rest is for a registrar that has to wait for its API server.
	Overlap time.Duration
}

const (
	day = 24 * time.Hour

	defaultCA              = 5 * 365 * day
	defaultCARenewBefore   = 180 * day
	defaultLeaf            = 90 * day
	defaultLeafRenewBefore = 30 * day
	defaultOverlap         = time.Hour

	// backdate is how long before its issue a certificate is valid: so far may the clock of an API server
	// be behind ours.
	backdate = time.Hour
)

func (l Lifetimes) withDefaults() Lifetimes {
	for _, f := range []struct {
		field    *time.Duration
		fallback time.Duration
	}{
		{&l.CA, defaultCA}, {&l.CARenewBefore, defaultCARenewBefore}, {&l.Leaf, defaultLeaf},
		{&l.LeafRenewBefore, defaultLeafRenewBefore}, {&l.Overlap, defaultOverlap},
	} {
		if *f.field == 0 {
			*f.field = f.fallback
		}
	}
	return l
}

// validate names the first lifetime that does not go with the others. Defaults are filled in.
func (l Lifetimes) validate() error {
	switch {
	case l.CA < 0 || l.CARenewBefore < 0 || l.Leaf < 0 || l.LeafRenewBefore < 0 || l.Overlap < 0:
		return errors.New("lifetimes are positive")
	case l.LeafRenewBefore >= l.Leaf:
		return fmt.Errorf("LeafRenewBefore is %s: expected less than Leaf, %s", l.LeafRenewBefore, l.Leaf)
	case l.CARenewBefore >= l.CA:
		return fmt.Errorf("CARenewBefore is %s: expected less than CA, %s", l.CARenewBefore, l.CA)
	case l.CARenewBefore < l.Leaf+l.Overlap:
		return fmt.Errorf("CARenewBefore is %s: expected at least Leaf and Overlap together, %s, so that no leaf outlives its CA", l.CARenewBefore, l.Leaf+l.Overlap)
	case l.CA-l.CARenewBefore <= 2*l.Overlap:
		return fmt.Errorf("CA is %s: expected more than CARenewBefore and two Overlaps together, %s, so that one change ends before the next begins", l.CA, l.CARenewBefore+2*l.Overlap)
	case l.Leaf-l.LeafRenewBefore <= l.Overlap:
		return fmt.Errorf("Leaf is %s: expected more than LeafRenewBefore and Overlap together, %s", l.Leaf, l.LeafRenewBefore+l.Overlap)
	}
	return nil
}
