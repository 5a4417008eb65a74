package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handshake connects to what the configuration serves, as an API server that trusts the bundle would.
func handshake(config *tls.Config, bundle []byte, name string) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return fmt.Errorf("the bundle holds no certificate: %q", bundle)
	}
	return connect(config, &tls.Config{RootCAs: roots, ServerName: name})
}

func connect(server, client *tls.Config) error {
	left, right := net.Pipe()
	patient := &patient{Conn: left, out: make(chan []byte, 64)}
	var both sync.WaitGroup
	both.Go(patient.pump)
	both.Go(func() {
		conn := tls.Server(patient, server)
		_ = conn.Handshake() // the client tells what went wrong
		close(patient.out)
	})
	conn := tls.Client(right, client)
	err := conn.Handshake()
	_ = right.Close()
	both.Wait()
	return err
}

// patient is an end of a pipe that can write before the other end reads: otherwise a client that complains
// while the server still talks waits for ever.
type patient struct {
	net.Conn
	out chan []byte
}

func (p *patient) Write(b []byte) (int, error) {
	p.out <- bytes.Clone(b)
	return len(b), nil
}

func (p *patient) pump() {
	for b := range p.out {
		_, _ = p.Conn.Write(b) // fails when the client has gone
	}
	_ = p.Conn.Close()
}

// memory is a store that several rotators share. Of two writers it refuses the second.
type memory struct {
	mu      sync.Mutex
	data    map[string][]byte
	version int
	writes  int
	pokes   []func()
	failing error
}

// view is one rotator's access to a memory.
type view struct {
	*memory
	read int
}

func (m *memory) view() *view { return &view{memory: m} }

func (v *view) String() string { return "memory" }

func (v *view) load(context.Context) (map[string][]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.read = v.version
	return maps.Clone(v.data), v.failing
}

func (v *view) save(_ context.Context, data map[string][]byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failing != nil {
		return v.failing
	}
	if v.read != v.version {
		return errConflict
	}
	v.version++
	v.writes++
	v.read, v.data = v.version, maps.Clone(data)
	for _, poke := range v.pokes {
		poke()
	}
	return nil
}

func (v *view) watch(ctx context.Context, poke func()) {
	v.mu.Lock()
	v.pokes = append(v.pokes, poke)
	v.mu.Unlock()
	<-ctx.Done()
}

// change does something to the stored state behind the rotators' back.
func (m *memory) change(f func(map[string][]byte) map[string][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = f(maps.Clone(m.data))
	m.version++
	for _, poke := range m.pokes {
		poke()
	}
}
