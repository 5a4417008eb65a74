package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// smallDisk names a folder on a file system that a test may fill up, such as a tmpfs of some MiB. Without, files of the program
// are bounded, which is much the same to it.
const smallDisk = "HOLDFAST_SMALL_DISK"

// disk is where a program keeps its state, and what fills it up.
type disk struct {
	dir    string
	filler string // empty where files are bounded
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	at := os.Getenv(smallDisk)
	if at == "" {
		return &disk{dir: t.TempDir()}
	}
	dir, err := os.MkdirTemp(at, "state-")
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{dir: dir, filler: filepath.Join(dir, "filler")}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return d
}

// fill leaves no room.
func (d *disk) fill(t *testing.T, p *serving.Process) {
	t.Helper()
	if d.filler == "" {
		const least = 1 << 10 // less than a page of the ledger
		d.bound(t, p, least)
		return
	}
	f, err := os.Create(d.filler)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 1 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// clear makes room again.
func (d *disk) clear(t *testing.T, p *serving.Process) {
	t.Helper()
	if d.filler == "" {
		d.bound(t, p, unix.RLIM_INFINITY)
		return
	}
	if err := os.Remove(d.filler); err != nil {
		t.Fatal(err)
	}
}

// bound bounds the size of the files that a process writes.
func (*disk) bound(t *testing.T, p *serving.Process, bytes uint64) {
	t.Helper()
	if err := unix.Prlimit(p.PID(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
}

// ledgerStatus is what /status says of the ledger.
func (c *cluster) ledgerStatus(ctx context.Context, o *serving.Options) (out struct{ Error, Aside string }, err error) {
	text, err := c.statusText(ctx, o.MetricsPort)
	if err == nil {
		err = json.Unmarshal([]byte(text), &struct{ Ledger any }{&out})
	}
	return out, err
}

// gaps runs `holdfast status`, which must find some.
func (c *cluster) gaps(t *testing.T, o *serving.Options) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), c.binary, "status", "--url", fmt.Sprintf("http://127.0.0.1:%d", o.MetricsPort)).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("holdfast status: %v, want exit status 1", err)
	}
	return string(out)
}

// breaks runs `holdfast history verify`, which must find a break.
func (c *cluster) breaks(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), c.binary, append([]string{"history", "verify"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("holdfast history verify %v: %v, want exit status 1", args, err)
	}
	return string(out)
}

// damage overwrites the page of a ledger's file that holds the entries with a text.
func damage(t *testing.T, file, text string) {
	t.Helper()
	const page, leaf = 4096, 13 // of a table: https://www.sqlite.org/fileformat2.html#b_tree_pages
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := page; at+page <= len(raw); at += page {
		if p := raw[at : at+page]; p[0] == leaf && bytes.Contains(p, []byte(text)) {
			copy(p, bytes.Repeat([]byte{0xAA}, page))
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s holds no entry with %s", file, text)
}

// TestALedgerWithoutRoomAndADamagedOne fills up the disk of the ledger, and damages its file: nothing is done that cannot be
// recorded, nothing is lost, admission goes on, and everything that tells how the program is says so.
func TestALedgerWithoutRoomAndADamagedOne(t *testing.T) {
	c := newCluster(t)
	d := newDisk(t)
	bundle := noPrivileged
	for _, name := range []string{"before", "full", "damaged"} {
		bundle += "---" + golden(name, "enforce")
	}
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", bundle))
	o.StateDir = d.dir
	o.Args = append(o.Args, "--reconcile-mode", "enforce", "--settle", "0s", "--reconcile-strategy", "canary=1, wave=50%, pause=1s, health-timeout=1m")
	c.tiers(t, metav1.NamespaceDefault, "before-a")
	p := c.serve(t, o)
	c.awaitRemediation(t, "before", "Succeeded: before-a Succeeded")
	eventually(t, "a refusal", c.refuses)

	t.Run("there is no room", func(t *testing.T) {
		d.fill(t, p)
		c.tiers(t, metav1.NamespaceDefault, "full-a")
		if _, err := c.create(t.Context(), pod("refused", true)); err == nil {
			t.Error("a privileged Pod is let pass")
		}
		eventually(t, "the metrics to say so", shows(&o, "holdfast_ledger_writing 0"))
		eventually(t, "the target to be left alone", func(ctx context.Context) string {
			list, err := c.remediations(ctx, "full")
			if err != nil || len(list) != 1 || len(list[0].Status.Results) != 1 || list[0].Status.Results[0].Message != "not done, because it could not be recorded" {
				return fmt.Sprintf("%+v, %v", list, err)
			}
			return ""
		})
		c.have(t, "lead", "full-a")
		status, err := c.ledgerStatus(t.Context(), &o)
		if err != nil || status.Error == "" || d.filler != "" && !strings.Contains(status.Error, "there is no room for the ledger") {
			t.Errorf("the status says %+v, %v", status, err)
		}
		if said := c.gaps(t, &o); !strings.Contains(said, "cannot write its ledger: ") {
			t.Errorf("holdfast status says\n%s", said)
		}
		if problem := c.refuses(t.Context()); problem != "" {
			t.Errorf("admission: %s", problem)
		}
	})
	t.Run("there is room again", func(t *testing.T) {
		d.clear(t, p)
		c.awaitRemediation(t, "full", "Succeeded: full-a Succeeded")
		eventually(t, "what was refused meanwhile to be on record", func(context.Context) string {
			if n := len(c.chronicle(t, o.StateDir, "Pod/refused", "--kind", "denied")); n != 1 {
				return fmt.Sprintf("%d refusals are told", n)
			}
			return ""
		})
		stop(t, p)
		c.checkDeeds(t, 2, "--state-dir", o.StateDir)
		if said := c.history(t, o.StateDir, "verify"); !strings.Contains(said, " verified, ") {
			t.Errorf("verify says %s", said)
		}
	})
	t.Run("the file is damaged", func(t *testing.T) {
		damage(t, filepath.Join(o.StateDir, "ledger.db"), "before-a")
		if said := c.breaks(t, "--state-dir", o.StateDir); !strings.Contains(said, "broken at entry ") || !strings.Contains(said, "it cannot be read: ") {
			t.Errorf("verify says %s", said)
		}
		c.tiers(t, metav1.NamespaceDefault, "damaged-a")
		p = c.serve(t, o)
		eventually(t, "a refusal", c.refuses)
		c.awaitRemediation(t, "damaged", "Succeeded: damaged-a Succeeded")
		status, err := c.ledgerStatus(t.Context(), &o)
		if err != nil || status.Error != "" || !strings.Contains(status.Aside, "ledger.db.damaged-") {
			t.Fatalf("the status says %+v, %v", status, err)
		}
		if said := c.gaps(t, &o); !strings.Contains(said, "has begun a new ledger, because its file was damaged: the old one is "+status.Aside) {
			t.Errorf("holdfast status says\n%s", said)
		}
		if problem := shows(&o, "holdfast_ledger_intact 0")(t.Context()); problem != "" {
			t.Error(problem)
		}
		stop(t, p)
		if said := c.breaks(t, status.Aside); !strings.Contains(said, "it cannot be read: ") {
			t.Errorf("verify of the file that was put aside says %s", said)
		}
		if said := c.history(t, o.StateDir, "verify"); !strings.Contains(said, " verified, ") {
			t.Errorf("verify says %s", said)
		}
		if n := len(c.chronicle(t, o.StateDir, "ConfigMap/damaged-a", "--kind", "applied")); n != 1 {
			t.Errorf("%d writes are on record", n)
		}
	})
}
