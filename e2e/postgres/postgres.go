package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// ErrMissing means that PostgreSQL is not installed.
var ErrMissing = errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")

// Server is a server with data of its own. Make it with New; it is to be closed.
type Server struct {
	bin, dir string
	port     int
	as       credential
	process  *os.Process // nil while it does not run
	ended    chan struct{}
}

// New makes the data of a server on a port of 127.0.0.1, and starts it.
func New(ctx context.Context, port int) (_ *Server, err error) {
	s := &Server{port: port}
	if s.bin, err = binaries(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "holdfast-postgres-"); err != nil {
		return nil, fmt.Errorf("make the folder of PostgreSQL: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.as, err = unprivileged(s.dir); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, s.program("initdb"), "-D", s.data(), "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = s.as.attr(), s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make the data of PostgreSQL: %w\n%s", err, out)
	}
	return s, s.Start(ctx)
}

// DSN leads to its database.
func (s *Server) DSN() string {
	return fmt.Sprintf("postgres://tester@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// Start starts the server on its data and waits until it takes connections; it may still refuse them for a moment, while it
// recovers.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	cmd := exec.Command(s.program("postgres"), "-D", s.data(), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	cmd.SysProcAttr, cmd.Dir, cmd.Stdout, cmd.Stderr = s.as.attr(), s.dir, log, log
	ended, started := make(chan struct{}), make(chan error)
	go func() {
		// The parent death signal is sent when the thread that forked ends; a locked one stays as long as this goroutine.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = log.Close() // the child has its own descriptor
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.process, s.ended = cmd.Process, ended
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		select {
		case <-ended:
			return false, errors.New("it ended")
		default:
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
		if err != nil {
			return false, nil //nolint:nilerr // it is tried again
		}
		return true, conn.Close()
	})
	if err != nil {
		text, _ := os.ReadFile(s.log())
		return fmt.Errorf("start PostgreSQL: %w\n%s", err, text)
	}
	return nil
}

// Kill ends the server with all its connections, as a crash would. It does nothing if it is down.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Signal(immediately) // fails only when it is gone already
	<-s.ended
	s.process = nil
}

// Close ends the server and takes its data away.
func (s *Server) Close() error {
	s.Kill()
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove the data of PostgreSQL: %w", err)
	}
	return nil
}

func (s *Server) program(name string) string { return filepath.Join(s.bin, name) }
func (s *Server) data() string               { return filepath.Join(s.dir, "data") }
func (s *Server) log() string                { return filepath.Join(s.dir, "log") }

// binaries is where Debian and others put the server's programs, which are in no PATH there.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", ErrMissing
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// credential is the user as whom the server runs; the zero value is whoever runs this.
type credential struct {
	set      bool
	uid, gid uint32
}

// unprivileged gives a folder to a user whom PostgreSQL runs as: it refuses root.
func unprivileged(dir string) (credential, error) {
	if os.Geteuid() != 0 {
		return credential{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(who.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(who.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid))); err != nil { //nolint:gosec // of 32 bits
			return credential{}, fmt.Errorf("give PostgreSQL its folder: %w", err)
		}
		return credential{true, uint32(uid), uint32(gid)}, nil
	}
	return credential{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}
