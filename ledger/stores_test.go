package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Every test of what a ledger does runs on both stores. PostgreSQL is a private server on loopback, started once by the
// first test that needs it, as an unprivileged user. A machine without it leaves these tests out and says so; where
// HOLDFAST_TEST_POSTGRES is set, as in CI, its absence is a failure.
const postgresRequired = "HOLDFAST_TEST_POSTGRES"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		os.Exit(child(os.Args[2:]))
	}
	code := m.Run()
	server.stop()
	os.Exit(code)
}

// onStores runs a test on a new, empty ledger of each kind.
func onStores(t *testing.T, test func(t *testing.T, src Source)) {
	t.Run("sqlite", func(t *testing.T) { test(t, Source{File: filepath.Join(t.TempDir(), "ledger.db")}) })
	t.Run("postgres", func(t *testing.T) { test(t, Source{DSN: server.database(t)}) })
}

func open(t testing.TB, src Source) *Store {
	t.Helper()
	s, err := Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func record(t testing.TB, s *Store, entries ...Entry) Receipt {
	t.Helper()
	r, err := s.Append(t.Context(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// server is the private PostgreSQL server of the tests.
var server = &postgres{}

type postgres struct {
	once    sync.Once
	err     error
	dir     string
	port    int
	command *exec.Cmd
	as      *syscall.SysProcAttr

	mu      sync.Mutex
	schemas int
}

// binaries is where Debian and others put the server's programs, which are in no PATH there.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// database makes an empty schema, which is quicker than a database, and gives the DSN that leads there.
func (p *postgres) database(t testing.TB) string {
	t.Helper()
	p.once.Do(func() { p.err = p.start() })
	if p.err != nil {
		if os.Getenv(postgresRequired) != "" {
			t.Fatal(p.err)
		}
		t.Skipf("left out: %v", p.err)
	}
	p.mu.Lock()
	p.schemas++
	name := fmt.Sprintf("test%d", p.schemas)
	p.mu.Unlock()
	admin(t, p.dsn("public"), "CREATE SCHEMA "+name)
	return p.dsn(name)
}

func (p *postgres) dsn(schema string) string {
	return fmt.Sprintf("postgres://tester@127.0.0.1:%d/postgres?sslmode=disable&search_path=%s", p.port, schema)
}

// admin runs statements beside the ledger's own code.
func admin(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func (p *postgres) start() (err error) {
	bin, err := binaries()
	if err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "holdfast-postgres-"); err != nil {
		return err
	}
	if p.as, err = unprivileged(p.dir); err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(p.dir, "data"), "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = p.as, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if p.port, err = freePort(); err != nil {
		return err
	}
	return p.up()
}

// up starts the server on its data, and waits until it answers.
func (p *postgres) up() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		return err
	}
	p.command = exec.Command(filepath.Join(bin, "postgres"), "-D", filepath.Join(p.dir, "data"), "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "fsync="+map[bool]string{true: "on", false: "off"}[os.Getenv("HOLDFAST_BENCH_LEDGER") != ""])
	p.command.SysProcAttr, p.command.Dir, p.command.Stdout, p.command.Stderr = p.as, p.dir, log, log
	if err := p.command.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(time.Minute)
	for {
		db, err := sql.Open("pgx", p.dsn("public"))
		if err != nil {
			return err
		}
		err = db.PingContext(context.Background())
		_ = db.Close()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			return fmt.Errorf("the server does not answer: %w\n%s", err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// down stops the server as its administrator would in a hurry: with all its connections.
func (p *postgres) down() {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Signal(os.Interrupt)
	_ = p.command.Wait()
	p.command = nil
}

func (p *postgres) stop() {
	p.down()
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// unprivileged gives a folder to a user whom PostgreSQL runs as: it refuses root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// names gives of entries what tests compare.
func names(entries []Entry) string {
	var out []string
	for i := range entries {
		out = append(out, fmt.Sprintf("%d %s %s", entries[i].Seq, entries[i].Kind, entries[i].Object))
	}
	return strings.Join(out, "; ")
}
