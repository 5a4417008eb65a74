package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// spawn starts this test's program as a child, and gives what it says, line by line.
func spawn(t *testing.T, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{childArg}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

func TestNothingThatWasAcknowledgedIsLostWhenTheProgramIsKilled(t *testing.T) {
	for _, after := range []int{1, 7, 40} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ledger.db")
			cmd, lines := spawn(t, "append", file)
			var last Receipt
			for range after {
				if !lines.Scan() {
					t.Fatal("it ended by itself")
				}
				var err error
				if last, err = ParseReceipt(lines.Text()); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Process.Kill(); err != nil { // in the middle of the next one, most likely
				t.Fatal(err)
			}
			for lines.Scan() { // what it said before it died
				if r, err := ParseReceipt(lines.Text()); err == nil {
					last = r
				}
			}
			_ = cmd.Wait() // it was killed
			s := open(t, Source{File: file})
			v, err := s.Verify(t.Context(), last)
			if err != nil || v.Break != nil {
				t.Errorf("break %v, %v", v.Break, err)
			}
			record(t, s, full())
			if v, err := s.Verify(t.Context(), last); err != nil || v.Break != nil {
				t.Errorf("behind a new entry: break %v, %v", v.Break, err)
			}
		})
	}
}

// TestAFullDiskRefusesAndLosesNothing bounds the size of files that a child may write, which is what a full disk is to it.
func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	cmd, lines := spawn(t, "fill", file, fmt.Sprint(1<<20))
	var last Receipt
	refused := ""
	for lines.Scan() {
		text, is := strings.CutPrefix(lines.Text(), "refused: ")
		if is {
			refused = text
			continue
		}
		r, err := ParseReceipt(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(refused, "appending to the ledger: ") || last.Seq < 10 {
		t.Errorf("refused behind entry %d: %q", last.Seq, refused)
	}
	s := open(t, Source{File: file}) // there is room again
	record(t, s, full())
	if v, err := s.Verify(t.Context(), last); err != nil || v.Break != nil {
		t.Errorf("break %v, %v", v.Break, err)
	}
}

func TestAFileThatHasReachedItsBoundRefusesAndStaysWhole(t *testing.T) {
	s := open(t, Source{File: filepath.Join(t.TempDir(), "ledger.db"), MaxBytes: leastBytes})
	var err error
	for range 5000 {
		if _, err = s.Append(t.Context(), full(), full(), full()); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want %v", err, ErrFull)
	}
	if size, err := s.Size(t.Context()); err != nil || size.Bytes > leastBytes {
		t.Fatalf("%d bytes, %v", size.Bytes, err)
	}
	if v, err := s.Verify(t.Context()); err != nil || v.Break != nil {
		t.Errorf("break %v, %v", v.Break, err)
	}
}

func TestARecorderKeepsItsFileBelowItsBound(t *testing.T) {
	src := Source{File: filepath.Join(t.TempDir(), "ledger.db"), MaxBytes: leastBytes}
	r := newRecording(t, Options{Source: src})
	s := open(t, src)
	for {
		size, err := s.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if size.Bytes > leastBytes/10*9 {
			break
		}
		record(t, s, full(), full(), full(), full(), full())
	}
	r.prune(t.Context(), s)
	size, err := s.Size(t.Context())
	if err != nil || size.Bytes > leastBytes/10*9 {
		t.Errorf("it still has %d bytes, %v", size.Bytes, err)
	}
	if v, err := s.Verify(t.Context()); err != nil || v.Break != nil || v.Pruned == 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if !strings.Contains(r.log.String(), "the oldest tenth is cut off") {
		t.Errorf("the log says nothing:\n%s", r.log)
	}
}

func TestADamagedFileIsPutAsideAndANewLedgerBegun(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, file string){
		"no SQLite at all": func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte(strings.Repeat("garbage ", 5000)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"pages overwritten": func(t *testing.T, file string) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := pageBytes; i < len(raw); i++ {
				raw[i] = 0xAA
			}
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"cut in the middle": func(t *testing.T, file string) {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, info.Size()/2/pageBytes*pageBytes); err != nil {
				t.Fatal(err)
			}
		},
		"the last entry taken out": func(t *testing.T, file string) {
			tamper(t, Source{File: file}, `DELETE FROM holdfast_entries WHERE seq = 30`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			src := Source{File: filepath.Join(dir, "ledger.db")}
			s := filled(t, src, 30)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, src.File)
			if _, err := Open(t.Context(), src); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("opening it: %v, want %v", err, ErrCorrupt)
			}
			r := newRecording(t, Options{Source: src}).run(t)
			if _, err := r.Append(t.Context(), Entry{Kind: Intended}); err != nil {
				t.Fatal(err)
			}
			page, err := r.Query(t.Context(), Query{Kinds: []Kind{Begun}})
			if err != nil || len(page.Entries) != 1 || !strings.Contains(page.Entries[0].Details["damaged"], ".damaged-") {
				t.Errorf("it begins with %v, %v", page.Entries, err)
			}
			r.stop()
			if k := kinds(t, src); k[Begun] != 1 || k[Intended] != 1 || k[Denied] != 0 {
				t.Errorf("the new one holds %v", k)
			}
			if aside, _ := filepath.Glob(filepath.Join(dir, "ledger.db.damaged-*Z")); len(aside) != 1 {
				t.Errorf("aside are %v", aside)
			}
		})
	}
}

// damagePage overwrites the page that holds an entry in the middle of a file, which its ends do not tell.
func damagePage(t *testing.T, file string, seq int) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const leaf = 13 // of a table
	for at := pageBytes; at < len(raw); at += pageBytes {
		if page := raw[at : at+pageBytes]; page[0] == leaf && strings.Contains(string(page), fmt.Sprintf(`"seq":%d,`, seq)) {
			for i := range page {
				page[i] = 0xAA
			}
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("entry %d is on no page", seq)
}

func TestAPageThatIsDamagedIsNamedAndWhoeverAsksHasTheFilePutAside(t *testing.T) {
	src := Source{File: filepath.Join(t.TempDir(), "ledger.db")}
	s := filled(t, src, 60)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	damagePage(t, src.File, 30)
	reading, err := OpenForReading(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	v, err := reading.Verify(t.Context())
	if err != nil || v.Break == nil || v.Break.Seq <= 20 || v.Break.Seq > 30 || v.Entries != v.Break.Seq-1 || !strings.Contains(v.Break.Error(), ": it cannot be read: the ledger is damaged: ") {
		t.Errorf("%d entries, break %v, %v", v.Entries, v.Break, err)
	}
	if err := reading.Close(); err != nil {
		t.Fatal(err)
	}

	r := newRecording(t, Options{Source: src}).run(t)
	if _, err := r.Append(t.Context(), Entry{Kind: Intended}); err != nil { // behind what is whole
		t.Fatal(err)
	}
	if _, err := r.Query(t.Context(), Query{ObjectName: "o30"}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("asking: %v, want %v", err, ErrCorrupt)
	}
	eventually(t, "the new one is asked", func() bool {
		page, err := r.Query(t.Context(), Query{ObjectName: "o30"})
		return err == nil && len(page.Entries) == 0
	})
	if aside := r.Status(t.Context()).Aside; !strings.HasPrefix(aside, src.File+".damaged-") {
		t.Errorf("the status says %q", aside)
	}
	r.stop()
	if k := kinds(t, src); k[Begun] != 1 || k[Denied] != 0 {
		t.Errorf("the new one holds %v", k)
	}
}

func TestASecondProgramWaitsForTheFile(t *testing.T) {
	src := Source{File: filepath.Join(t.TempDir(), "ledger.db")}
	first := newRecording(t, Options{Source: src}).run(t)
	if _, err := first.Append(t.Context(), Entry{Kind: Intended}); err != nil {
		t.Fatal(err)
	}
	want := "another program writes to this ledger: " + src.File
	if _, err := Open(t.Context(), src); !errors.Is(err, ErrInUse) || err.Error() != want {
		t.Errorf("opening it: %v, want %s", err, want)
	}
	second := newRecording(t, Options{Source: src, Wait: 50 * time.Millisecond}).run(t)
	eventually(t, "it says that it waits", func() bool { return second.Status(t.Context()).Error == want })
	if _, err := second.Append(t.Context(), Entry{Kind: Intended}); !errors.Is(err, ErrInUse) {
		t.Errorf("appending: %v", err)
	}
	second.Note(Entry{Kind: Denied})
	if _, err := first.Append(t.Context(), Entry{Kind: Applied}); err != nil {
		t.Errorf("the first one is hindered: %v", err)
	}
	first.stop()
	eventually(t, "the second one takes over", func() bool {
		page, err := second.Query(t.Context(), Query{Kinds: []Kind{Denied}})
		return err == nil && len(page.Entries) == 1
	})
	second.stop()
	if k := kinds(t, src); k[Intended] != 1 || k[Applied] != 1 || k[Denied] != 1 || k[Begun] != 1 {
		t.Errorf("recorded: %v", k)
	}
}

func TestADatabaseThatGoesAwayAndComesBack(t *testing.T) {
	src := Source{DSN: server.database(t)}
	r := newRecording(t, Options{Source: src, Wait: 500 * time.Millisecond}).run(t)
	if _, err := r.Append(t.Context(), Entry{Kind: Intended}); err != nil {
		t.Fatal(err)
	}
	server.down()
	_, err := r.Append(t.Context(), Entry{Kind: Intended})
	if !errors.Is(err, ErrAway) {
		t.Errorf("appending while it is away: %v, want %v", err, ErrAway)
	}
	for range 300 {
		r.Note(Entry{Kind: Denied})
	}
	eventually(t, "the status says so", func() bool { return strings.Contains(r.Status(t.Context()).Error, ErrAway.Error()) })
	if r.lag() < 0 || r.failing() == nil {
		t.Error("the metrics say that all is well")
	}
	if err := server.up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is written again", func() bool {
		s := r.Status(t.Context())
		return s.Error == "" && s.Waiting == 0 && r.lag() == 0
	})
	r.stop()
	if k := kinds(t, src); k[Intended] != 1 || k[Denied] != 300 || k[Dropped] != 0 {
		t.Errorf("recorded: %v", k)
	}
	if strings.Contains(r.log.String(), "tester@") {
		t.Errorf("the DSN is in the log:\n%s", r.log)
	}
}

func TestADatabaseThatIsNotThereYetKeepsNobodyFromStarting(t *testing.T) {
	src := Source{DSN: server.database(t)}
	server.down()
	r := newRecording(t, Options{Source: src}).run(t)
	r.Note(Entry{Kind: Denied})
	eventually(t, "the status says so", func() bool { return strings.Contains(r.Status(t.Context()).Error, ErrAway.Error()) })
	if err := server.up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is open", func() bool { return r.failing() == nil })
	r.stop()
	if k := kinds(t, src); k[Denied] != 1 {
		t.Errorf("recorded: %v", k)
	}
}

func TestSeveralProgramsWriteOneChainIntoADatabase(t *testing.T) {
	src := Source{DSN: server.database(t)}
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() { // each makes the tables, if it is the first
			s, err := Open(context.Background(), src)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			for range 50 {
				if _, err := s.Append(context.Background(), Entry{Kind: Denied, Replica: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if k := kinds(t, src); k[Denied] != 200 || k[Begun] != 1 {
		t.Errorf("recorded: %v", k)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		tamper(t, src, `INSERT INTO holdfast_schema (version) VALUES (99)`)
		want := "the ledger was made by a newer holdfast: its schema is version 99, this program knows up to 1: use the newer program, or another ledger"
		if _, err := Open(t.Context(), src); err == nil || err.Error() != want || !errors.Is(err, ErrNewer) {
			t.Errorf("to write: got %v, want %s", err, want)
		}
		if _, err := OpenForReading(t.Context(), src); err == nil || err.Error() != want {
			t.Errorf("to read: got %v, want %s", err, want)
		}
	})
}

func TestWhereThereIsNoLedger(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		if _, err := OpenForReading(t.Context(), src); !errors.Is(err, ErrNone) {
			t.Errorf("got %v, want %v", err, ErrNone)
		}
	})
}

func TestAPasswordIsInNoError(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u:geheim@127.0.0.1:1/db?sslmode=disable&connect_timeout=1", "postgres://u:geheim@h:port/", "host=127.0.0.1 port=1 password=geheim sslmode=disable",
		"password=geheim host", "postgres://u:geheim@127.0.0.1:1/db?sslmode=none",
	} {
		_, err := Open(t.Context(), Source{DSN: dsn})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
