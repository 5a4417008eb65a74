package controlplane

import (
	"errors"
	"net"
	"testing"
)

func reserve(t *testing.T) *portBlock {
	t.Helper()
	b, err := reservePorts()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.release() })
	return b
}

func TestPortsOfTwoBlocksDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 3 {
		b := reserve(t)
		for {
			port, err := b.take()
			if errors.Is(err, errNoPort) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if seen[port] {
				t.Errorf("port %d is handed out twice", port)
			}
			if port < firstPort || port >= 32768 {
				t.Errorf("port %d may be taken for an outgoing connection", port)
			}
			seen[port] = true
		}
	}
	if len(seen) < 3*(blockSize-1)/2 {
		t.Errorf("three blocks have %d free ports only", len(seen))
	}
}

func TestPortThatSomebodyElseHasIsLeftOut(t *testing.T) {
	b := reserve(t)
	first, err := b.take()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", loopback(first))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	again := &portBlock{guard: b.guard, next: first, end: b.end}
	second, err := again.take()
	if err != nil {
		t.Fatal(err)
	}
	if second == first {
		t.Errorf("port %d is handed out though a listener has it", first)
	}
}

func TestBlockThatIsReleasedCanBeTakenAgain(t *testing.T) {
	b := reserve(t)
	address := b.guard.Addr().String()
	if l, err := net.Listen("tcp", address); err == nil {
		_ = l.Close()
		t.Fatal("the guard port of a reserved block is free")
	}
	if err := b.release(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the guard port of a released block is not free: %v", err)
	}
	_ = l.Close()
}
