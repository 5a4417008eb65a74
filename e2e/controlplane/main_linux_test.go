package controlplane

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// helperEnv makes the test binary play the process that is killed with children, in the directory of helperDirEnv.
const (
	helperEnv    = "HOLDFAST_E2E_TEST_HELPER"
	helperDirEnv = "HOLDFAST_E2E_TEST_HELPER_DIR"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(helperEnv); role != "" {
		if err := playHelper(role, os.Getenv(helperDirEnv)); err != nil {
			fmt.Fprintln(os.Stderr, "helper:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// helperReport is the one line that a helper prints when its children run.
type helperReport struct {
	PIDs []int
	URL  string
}

// playHelper starts children, reports them and waits to be killed.
func playHelper(role, dir string) error {
	var report helperReport
	switch role {
	case "child":
		pid, err := startFromDyingThread(dir)
		if err != nil {
			return err
		}
		report.PIDs = []int{pid}
	case "controlplane":
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
		defer cancel()
		cp, err := Start(ctx, Options{Dir: dir})
		if err != nil {
			return err
		}
		report.URL = cp.RESTConfig().Host
		report.PIDs = pids(cp)
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		return err
	}
	// Standard input ends with the test that started this helper, should it die without killing it.
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startFromDyingThread starts a child from a goroutine that takes its thread down with it, as any goroutine of a caller
// may do. It returns when the thread is gone.
func startFromDyingThread(dir string) (pid int, err error) {
	done, thread := make(chan struct{}), 0
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		thread = syscall.Gettid()
		var ch *child
		ch, err = startChild(command{
			component: "sleep", path: "/bin/sleep", args: []string{"600"}, dir: dir, log: dir + "/log",
		}, func(*child) {})
		if err == nil {
			pid = ch.process.Pid
		}
	}()
	<-done
	// The first thread of a process is the one that Go never ends.
	for err == nil && thread != os.Getpid() {
		if _, gone := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread)); gone != nil {
			break
		}
		runtime.Gosched()
	}
	return pid, err
}

// startHelper runs this test binary in a role and gives its report once it has printed one.
func startHelper(t *testing.T, role string) (*exec.Cmd, helperReport) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+role, helperDirEnv+"="+t.TempDir())
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A test that has killed the helper has waited for it, too.
		if cmd.ProcessState == nil {
			_ = stdin.Close()
			_ = cmd.Wait()
		}
	})
	t.Logf("waiting for the helper %q to start its children", role)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("read the helper's report: %v", err)
	}
	var report helperReport
	if err := json.Unmarshal([]byte(line), &report); err != nil {
		t.Fatalf("read the helper's report %q: %v", line, err)
	}
	return cmd, report
}

// killHelper kills the helper in the way that leaves it no time for anything.
func killHelper(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.String() != "signal: killed" {
		t.Fatalf("helper ended with %v, want: signal: killed", err)
	}
}

// pids lists the processes of a control plane.
func pids(cp *ControlPlane) []int {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	var list []int
	for _, ch := range cp.children {
		list = append(list, ch.process.Pid)
	}
	return list
}

// running tells whether the process exists and is no zombie: a container's init may never reap.
func running(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// The state follows the command, which is in parentheses and may hold any character.
	_, after, found := strings.Cut(string(data[strings.LastIndexByte(string(data), ')'):]), ") ")
	return found && after[0] != 'Z' && after[0] != 'X'
}

// allGone is a check for eventually.
func allGone(list []int) func(context.Context) string {
	return func(context.Context) string {
		for _, pid := range list {
			if running(pid) {
				return fmt.Sprintf("process %d still runs", pid)
			}
		}
		return ""
	}
}
