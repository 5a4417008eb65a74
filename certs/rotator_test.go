package certs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// quick are lifetimes of which many pass within a test.
var quick = Lifetimes{CA: 10 * day, CARenewBefore: 4 * day, Leaf: 2 * day, LeafRenewBefore: 12 * time.Hour, Overlap: time.Hour}

const host = "holdfast.holdfast.svc"

func newTestRotator(t *testing.T, s store, lifetimes Lifetimes, logger *slog.Logger) *Rotator {
	t.Helper()
	r, err := newRotator(s, rotatorOptions{names: []string{host, "127.0.0.1"}, lifetimes: lifetimes, logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs the sources until the test ends.
func run(t *testing.T, sources ...Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	for _, s := range sources {
		go func() { done <- s.Run(ctx) }()
	}
	t.Cleanup(func() {
		cancel()
		for range sources {
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	})
}

// Two replicas share a Secret, and the API servers hear of a bundle three quarters of an overlap late. While
// three CAs and some twenty leaves come and go, every handshake with either replica succeeds.
func TestNoHandshakeFailsWhileEverythingIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		a, b := newTestRotator(t, shared.view(), quick, nil), newTestRotator(t, shared.view(), quick, nil)
		run(t, a, b)
		<-a.Ready()
		<-b.Ready()
		synctest.Wait()

		const step, lag = 15 * time.Minute, 45 * time.Minute
		var heard [][]byte // what the API servers will trust, oldest first
		leaves, bundles := map[string]bool{}, map[string]bool{}
		for elapsed := time.Duration(0); elapsed < 20*day; elapsed += step {
			for _, r := range []*Rotator{a, b} {
				heard = append(heard, r.CABundle())
				if len(heard) > 2*int(lag/step)+1 {
					heard = heard[1:]
				}
				if err := handshake(r.TLSConfig(), heard[0], host); err != nil {
					t.Fatalf("after %s: %v", elapsed, err)
				}
				s := r.value.Load()
				leaves[s.leaf.Leaf.SerialNumber.String()] = true
				bundles[string(s.bundle)] = true
				if left := time.Until(s.leaf.Leaf.NotAfter); left < 11*time.Hour {
					t.Fatalf("after %s the leaf has %s left", elapsed, left)
				}
			}
			time.Sleep(step)
			synctest.Wait()
		}
		// 20 days hold at least 20/2 leaves, and three changes of the CA with three bundles each.
		if len(leaves) < 10 || len(bundles) < 9 {
			t.Errorf("%d leaves and %d bundles were seen: expected more renewals", len(leaves), len(bundles))
		}
		if !bytes.Equal(a.CABundle(), b.CABundle()) {
			t.Error("the replicas do not agree")
		}
	})
}

func TestADamagedStoreGetsTheServedStateBack(t *testing.T) {
	for name, damage := range map[string]func(map[string][]byte) map[string][]byte{
		"everything deleted": func(map[string][]byte) map[string][]byte { return nil },
		"CA key cut": func(m map[string][]byte) map[string][]byte {
			m[keyCA] = m[keyCA][:40]
			return m
		},
		"bundle emptied": func(m map[string][]byte) map[string][]byte {
			m[keyBundle] = nil
			return m
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := &memory{}
				r := newTestRotator(t, shared.view(), quick, nil)
				run(t, r)
				<-r.Ready()
				synctest.Wait()
				before := string(shared.data[keyCA])
				shared.change(damage)
				synctest.Wait()
				if got := string(shared.data[keyCA]); got != before {
					t.Error("the CA was replaced, though it was still known")
				}
				if shared.writes != 2 {
					t.Errorf("%d writes: expected one to found and one to put back", shared.writes)
				}
			})
		})
	}
}

func TestADamagedLeafIsMadeAnewByTheSameCA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		r := newTestRotator(t, shared.view(), quick, nil)
		run(t, r)
		<-r.Ready()
		synctest.Wait()
		bundle := r.CABundle()
		first := r.value.Load().leaf.Leaf
		shared.change(func(m map[string][]byte) map[string][]byte {
			m[keyLeafKey] = nil
			return m
		})
		synctest.Wait()
		if r.value.Load().leaf.Leaf.Equal(first) {
			t.Error("the leaf was not replaced")
		}
		if err := handshake(r.TLSConfig(), bundle, host); err != nil {
			t.Errorf("with the bundle from before: %v", err)
		}
	})
}

func TestWhatIsServedStaysWhileTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		var log bytes.Buffer
		r := newTestRotator(t, shared.view(), quick, slog.New(slog.NewTextHandler(&log, nil)))
		run(t, r)
		<-r.Ready()
		synctest.Wait()
		shared.mu.Lock()
		shared.failing = errors.New("the disk is gone")
		shared.mu.Unlock()
		time.Sleep(day) // the leaf lasts two
		synctest.Wait()
		if err := handshake(r.TLSConfig(), r.CABundle(), host); err != nil {
			t.Error(err)
		}
		if !bytes.Contains(log.Bytes(), []byte("reading the certificates from memory: the disk is gone")) {
			t.Errorf("the log does not tell: %s", log.String())
		}
		shared.mu.Lock()
		shared.failing = nil
		shared.mu.Unlock()
		time.Sleep(day)
		synctest.Wait()
		if err := handshake(r.TLSConfig(), r.CABundle(), host); err != nil {
			t.Error(err)
		}
	})
}

// A year away: leaf and CA have expired, and the first thing that happens is that there are new ones.
func TestAnExpiredStateIsFoundedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		r := newTestRotator(t, shared.view(), quick, nil)
		if _, err := r.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		old := string(r.CABundle())
		time.Sleep(365 * day)
		again := newTestRotator(t, shared.view(), quick, nil)
		if _, err := again.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if string(again.CABundle()) == old {
			t.Fatal("the bundle is the old one")
		}
		if err := handshake(again.TLSConfig(), again.CABundle(), host); err != nil {
			t.Error(err)
		}
	})
}

func TestChangedTellsOfTheBundleOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRotator(t, (&memory{}).view(), quick, nil)
		if r.CABundle() != nil {
			t.Error("there is a bundle before there is a certificate")
		}
		run(t, r)
		<-r.Changed()
		leaf := r.value.Load().leaf.Leaf
		time.Sleep(5 * day) // leaves are renewed, the CA is not
		synctest.Wait()
		if r.value.Load().leaf.Leaf.Equal(leaf) {
			t.Error("the leaf was not renewed")
		}
		select {
		case <-r.Changed():
			t.Error("Changed, though the bundle is the same")
		default:
		}
		time.Sleep(2 * day) // a CA is staged
		synctest.Wait()
		select {
		case <-r.Changed():
		default:
			t.Error("the bundle has changed, and nobody is told")
		}
	})
}
