// Package scale measures the audit on a real control plane: how many objects, which policies and how fast they change
// flow in; CPU, memory, requests, bytes and the time from a write to its report flow out, phase by phase. It runs
// holdfast as a process, as an operator would, with rights of its own and no admission, so that what is wrong gets in.
// It judges nothing but this: what must cost nothing has cost nothing.
package scale

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Options say what to measure.
type Options struct {
	// Objects is how many objects there are, made up from Seed. Default 10,000: minutes on two processors.
	Objects int
	Seed    uint64
	// File has the objects, in the place of made-up ones.
	File string
	// Binary is the holdfast to measure. Default: the one of this clone, built.
	Binary string
	// Policies are the bundle's files and folders. Default: the shipped bundle.
	Policies []string
	// Rate is how many writes a second, and Changes for how long. Defaults 50 and 30 s: with 1,500 writes, p99 is not
	// a matter of chance.
	Rate    int
	Changes time.Duration
	// KeepPolicies leaves out the phases that apply a policy while holdfast runs: with 100,000 objects, writing each report
	// anew takes an hour.
	KeepPolicies bool
	// Profiles is the folder for profiles of holdfast in each phase; empty takes none.
	Profiles string
	// Env is added to holdfast's environment, such as GOGC=50.
	Env []string
	// Args are added to `holdfast serve`.
	Args []string
	// Progress receives a line for each thing that is begun or waited for.
	Progress io.Writer
}

// Validate fills in defaults and names the first option that cannot be.
func (o *Options) Validate() error {
	if o.Objects == 0 {
		o.Objects = 10_000
	}
	if o.Rate == 0 {
		o.Rate = 50
	}
	if o.Changes == 0 {
		o.Changes = 30 * time.Second
	}
	switch {
	case o.Objects < 0:
		return fmt.Errorf("%d objects: expected some", o.Objects)
	case o.Rate < 0 || o.Rate > maxRate:
		return fmt.Errorf("%d writes a second: expected 1 to %d", o.Rate, maxRate)
	case o.Changes < time.Second:
		return fmt.Errorf("changes for %s: expected a second or more", o.Changes)
	case o.Progress == nil:
		return errors.New("nowhere to tell of the progress")
	}
	return nil
}

// maxRate is as many writes a second as one small API server takes from a single client.
const maxRate = 500

// Result is what was measured.
type Result struct {
	Objects  int       `json:"objects"`
	Policies string    `json:"policies"`
	Started  time.Time `json:"started"`
	// CPUs of the machine, which all processes share.
	CPUs   int      `json:"cpus"`
	Phases []*Phase `json:"phases"`
	// Reports in the cluster when all objects had been judged, and their bytes as etcd has them.
	Reports     int   `json:"reports"`
	ReportBytes int64 `json:"reportBytes"`
	// EtcdBytes is what the database grew by in the first sweep.
	EtcdBytes int64 `json:"etcdBytes"`
	// BaseHeap and Heap are what lives in holdfast's memory without any objects and with all of them, collected.
	BaseHeap int64 `json:"baseHeapBytes"`
	Heap     int64 `json:"heapBytes"`
	// HeapPerObject is what an object costs, in bytes.
	HeapPerObject float64 `json:"heapBytesPerObject"`
	// Broken lists what should have cost nothing and did.
	Broken []string `json:"broken,omitempty"`
}

// Phase is a part of the measurement.
type Phase struct {
	Name string `json:"name"`
	// Seconds on the clock, and of CPU by process.
	Seconds float64            `json:"seconds"`
	CPU     map[string]float64 `json:"cpuSeconds"`
	// RSS and PeakRSS are resident bytes at the end, and the most up to then since the start of the process.
	RSS     map[string]int64 `json:"rssBytes"`
	PeakRSS map[string]int64 `json:"peakRSSBytes"`
	// Judged and Unchanged are evaluations of objects, and objects of which a hash was enough.
	Judged    int `json:"judged"`
	Unchanged int `json:"unchanged"`
	// Writes of reports.
	Writes int `json:"reportWrites"`
	// Requests that the API server answered, by verb and resource, without those that the measurement made itself.
	Requests map[string]int `json:"apiRequests"`
	// Listed are the types that were read anew.
	Listed []string `json:"listed,omitempty"`
	// Events are writes that this measurement made.
	Events int `json:"events,omitempty"`
	// Detect is the time from the sending of a write to the report on it.
	Detect *Latencies `json:"timeToDetect,omitempty"`
}

// Latencies are times in seconds.
type Latencies struct {
	Count  int     `json:"count"`
	Missed int     `json:"missed"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}
