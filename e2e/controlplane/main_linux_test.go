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
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/util/wait"
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
// may do. When the thread is gone it asks the child for a sign of life.
func startFromDyingThread(dir string) (pid int, err error) {
	question, answer := filepath.Join(dir, "question"), filepath.Join(dir, "answer")
	script := "until [ -e " + question + " ]; do sleep 0.01; done; >" + answer + "; exec sleep 600"
	thread := onDyingThread(func() {
		var ch *child
		ch, err = startChild(command{
			component: "some-server", path: "/bin/sh", args: []string{"-c", script}, env: os.Environ(),
			dir: dir, log: filepath.Join(dir, "log"),
		}, func(*child) {})
		if err == nil {
			pid = ch.process.Pid
		}
	})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	await := func(done func() bool) error {
		return wait.PollUntilContextCancel(ctx, time.Millisecond, true, func(context.Context) (bool, error) { return done(), nil })
	}
	if err := await(func() bool { return !exists(fmt.Sprintf("/proc/self/task/%d", thread)) }); err != nil {
		return 0, fmt.Errorf("wait for thread %d to end: %w", thread, err)
	}
	if err := os.WriteFile(question, nil, 0o600); err != nil {
		return 0, err
	}
	if err := await(func() bool { return exists(answer) }); err != nil {
		return 0, fmt.Errorf("wait for a sign of life from the child after its caller's thread has ended: %w", err)
	}
	return pid, nil
}

// onDyingThread calls run on a thread that ends thereafter, and gives the thread's number.
func onDyingThread(run func()) (thread int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if thread = syscall.Gettid(); thread == os.Getpid() {
			// Go never ends the first thread of a process. While it is held here, another is used.
			defer runtime.UnlockOSThread()
			thread = onDyingThread(run)
			return
		}
		run()
		// Not unlocked: the thread ends with the goroutine.
	}()
	<-done
	return thread
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
