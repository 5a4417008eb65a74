package scale

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// subject is the holdfast that is measured.
type subject struct {
	options  serving.Options
	say      func(string, ...any)
	profile  string // address of /debug/pprof
	process  *serving.Process
	profiles string // folder; empty takes none
}

// look is how often the subject is asked whether it is done. It costs the subject a scrape.
const look = 2 * time.Second

func (s *subject) start(ctx context.Context) (err error) {
	s.process, err = serving.Start(ctx, s.options)
	return err
}

func (s *subject) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := s.process
	s.process = nil
	return p.Stop(ctx)
}

// pid is 0 while it does not run.
func (s *subject) pid() int {
	if s.process == nil {
		return 0
	}
	return s.process.PID()
}

func (s *subject) metrics(ctx context.Context) (samples, error) {
	return fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", s.options.MetricsPort))
}

// until asks for metrics until they are as wanted.
func (s *subject) until(ctx context.Context, what string, wanted func(samples) bool) error {
	told := time.Now()
	err := wait.PollUntilContextCancel(ctx, look, true, func(ctx context.Context) (bool, error) {
		select {
		case <-s.process.Ended():
			return false, fmt.Errorf("holdfast ended\n%s", s.process.LogTail())
		default:
		}
		m, err := s.metrics(ctx)
		if err != nil {
			return false, err
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			s.say("waiting for %s: %.0f objects judged, %.0f reports to be written", what,
				m.sum("holdfast_audit_objects_judged_total"), m.sum("holdfast_report_pending"))
		}
		return wanted(m), nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

// settled says that all types were listed and all reports are written.
func settled(m samples) bool {
	types, all := 0, m.sum("holdfast_audit_leader") == 1
	m.each("holdfast_audit_last_list_timestamp_seconds", func(_ map[string]string, at float64) {
		types++
		all = all && at > 0
	})
	return all && types > 0 && m.sum("holdfast_report_pending") == 0
}

// listedSince gives the types that were listed after a time.
func listedSince(m samples, at time.Time) (types []string) {
	m.each("holdfast_audit_last_list_timestamp_seconds", func(labels map[string]string, listed float64) {
		if listed > float64(at.UnixNano())/1e9 {
			types = append(types, labels["resource"])
		}
	})
	slices.Sort(types)
	return types
}

// heap collects garbage and gives the bytes that live.
func (s *subject) heap(ctx context.Context, name string) (int64, error) {
	// Twice, because what has a finalizer takes two rounds; and the second time as text, which says what lived before it was
	// written: to write a profile, and to answer with metrics, takes a megabyte or two.
	if err := s.get(ctx, "heap?gc=1", filepath.Join(s.profiles, name+"-heap.pprof")); err != nil {
		return 0, err
	}
	text, err := s.read(ctx, "heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	return heapAlloc(string(text))
}

// heapAlloc reads the line of runtime.MemStats in a heap profile as text.
func heapAlloc(text string) (int64, error) {
	_, rest, _ := strings.Cut(text, "\n# HeapAlloc = ")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the heap profile: it does not say how much lives: %w", err)
	}
	return n, nil
}

// profiled is how much of a phase is profiled, from its beginning.
const profiled = 15 * time.Second

// record begins a CPU profile, if there is a place for it, and gives the function that waits for its end.
func (s *subject) record(ctx context.Context, name string) (finish func() error) {
	if s.profiles == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		done <- s.get(ctx, fmt.Sprintf("profile?seconds=%d", int(profiled.Seconds())), filepath.Join(s.profiles, name+"-cpu.pprof"))
	}()
	return func() error { return <-done }
}

// get reads a profile into a file, or throws it away where there is no place for it.
func (s *subject) get(ctx context.Context, what, file string) error {
	data, err := s.read(ctx, what)
	if err != nil || s.profiles == "" {
		return err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	return nil
}

// read takes a profile.
func (s *subject) read(ctx context.Context, what string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.profile+"/debug/pprof/"+what, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("take a profile: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("take a profile: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("take a profile: %w", err)
	}
	return data, nil
}
