package traffic

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/webhook"
)

// serveVariable names the handler that this process is to serve, because it was started for that.
const serveVariable = "HOLDFAST_BENCH_SERVE"

// cpuPath answers with the CPU time of the serving process, in nanoseconds.
const cpuPath = "/cpu"

// ServeIfAsked serves one of the handlers over TLS, as long as its parent lives, and does not return, in a process that
// Served has started. It is for TestMain.
func ServeIfAsked(handlers map[string]func() (http.Handler, error)) {
	name, asked := os.LookupEnv(serveVariable)
	if !asked {
		return
	}
	if err := serve(handlers[name]); err != nil {
		fmt.Fprintf(os.Stderr, "serving %s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(handler func() (http.Handler, error)) error {
	if handler == nil {
		return errors.New("there is no such handler")
	}
	h, err := handler()
	if err != nil {
		return err
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc(cpuPath, func(w http.ResponseWriter, _ *http.Request) {
		used, err := cpuTime()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprint(w, used.Nanoseconds())
	})
	fmt.Println(listener.Addr()) // for the parent
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel()
	}()
	return webhook.Server{
		Listener: listener, TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
		Handler: mux, Logger: slog.New(slog.DiscardHandler),
	}.Run(ctx)
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, nil
}

// Served sends reviews over TLS on so many connections, each with one review under way at a time, to the handler of this
// name, which a process of its own serves. It reports what that process used for each, as cpu-ns/op, and the latencies.
// Connections are HTTP/2, as those of API servers are.
func Served(b *testing.B, name, path string, reviews [][]byte, connections int) {
	b.Helper()
	s := start(b, name)
	clients := make([]*http.Client, connections)
	for i := range clients {
		clients[i] = s.client()
		for range 3 { // the handshake, and what a handler makes at first
			post(b, clients[i], s.url+path, reviews[i%len(reviews)])
		}
	}
	latencies := make([]time.Duration, b.N)
	var next atomic.Int64
	before := s.cpuTime(b, clients[0])
	var all sync.WaitGroup
	b.ResetTimer()
	for _, c := range clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				begun := time.Now()
				post(b, c, s.url+path, reviews[i%len(reviews)])
				latencies[i] = time.Since(begun)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(s.cpuTime(b, clients[0])-before)/float64(b.N), "cpu-ns/op")
	slices.Sort(latencies)
	for _, p := range []int{50, 95, 99} {
		b.ReportMetric(float64(latencies[(len(latencies)-1)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	for _, c := range clients {
		c.CloseIdleConnections()
	}
}

// server is the process that serves.
type server struct{ url string }

func start(b *testing.B, name string) *server {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serveVariable+"="+name)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may be stuck in what it serves
		_ = cmd.Wait()
	})
	var address string
	if _, err := fmt.Fscanln(stdout, &address); err != nil {
		b.Fatalf("starting the server of %s: %v", name, err)
	}
	return &server{url: "https://" + address}
}

// client has one connection of its own.
func (s *server) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, MaxConnsPerHost: 1,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the server is ours, and its certificate is of the minute
	}}
}

func (s *server) cpuTime(b *testing.B, c *http.Client) time.Duration {
	b.Helper()
	resp, err := c.Get(s.url + cpuPath)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var used time.Duration
	if err := json.NewDecoder(resp.Body).Decode(&used); err != nil {
		b.Fatal(err)
	}
	return used
}

// post is called by many goroutines, from which a benchmark must not be ended.
func post(b *testing.B, c *http.Client, url string, review []byte) {
	resp, err := c.Post(url+"?timeout=30s", "application/json", bytes.NewReader(review))
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Errorf("status %d, %v: %.200s", resp.StatusCode, err, body)
	}
}
