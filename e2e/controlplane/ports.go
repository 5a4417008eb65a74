package controlplane

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports come in blocks below the range from which Linux takes the ports of outgoing connections (32768 and up): while
// kube-apiserver is down for a test, a client that retries must not be given the server's own port as its source.
// A control plane needs six ports; the rest of its block is for the processes that a test runs beside it.
const (
	firstPort  = 20000
	blockSize  = 20
	blockCount = 500
)

// portBlock is a range of ports that nobody else takes who uses this package, in whatever process and as whatever user:
// the first port of the block is held open, which makes the kernel the arbiter and the end of the process the release.
type portBlock struct {
	guard net.Listener
	next  int // the next port to hand out
	end   int // the first port behind the block
}

// reservePorts takes a block at random.
func reservePorts() (*portBlock, error) {
	for _, block := range rand.Perm(blockCount) {
		first := firstPort + block*blockSize
		guard, err := net.Listen("tcp", loopback(first))
		if err == nil {
			return &portBlock{guard: guard, next: first + 1, end: first + blockSize}, nil
		}
	}
	return nil, fmt.Errorf("reserve ports: each of %d blocks from %d on is taken: %w", blockCount, firstPort, errNoPort)
}

// take gives a port of the block on which nothing listens now.
func (b *portBlock) take() (int, error) {
	for b.next < b.end {
		port := b.next
		b.next++
		probe, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue // A process that does not know of blocks has it.
		}
		if err := probe.Close(); err != nil {
			return 0, fmt.Errorf("probe port %d: %w", port, err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("take a port of the block up to %d: %w", b.end-1, errNoPort)
}

func (b *portBlock) release() error { return b.guard.Close() }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
