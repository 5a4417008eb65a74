package controlplane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
)

// command says how to run a component.
type command struct {
	component Component
	path      string
	args      []string
	dir       string // working directory
	log       string // file that receives both outputs, appended to
	env       []string
}

// child is a component that has been started.
type child struct {
	command
	process *os.Process
	ended   chan struct{} // closed when the process is gone and reaped
	state   error         // how it ended; to be read when ended is closed
	asked   atomic.Bool   // its end was asked for
}

// startChild starts the process and returns; onEnd is called, on another goroutine, if it ends without having been asked.
func startChild(c command, onEnd func(*child)) (*child, error) {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: open its log: %w", c.component, err)
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr()

	ch := &child{command: c, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		tied(func() {
			err := cmd.Start()
			_ = log.Close() // The child has its own descriptor.
			ch.process = cmd.Process
			started <- err
			if err != nil {
				return
			}
			ch.state = cmd.Wait()
			if ch.state == nil {
				ch.state = errors.New("exit status 0")
			}
			close(ch.ended)
		})
		if ch.process != nil && !ch.asked.Load() {
			onEnd(ch)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.component, err)
	}
	return ch, nil
}

// kill ends the child, whether it runs or not, and waits until it is gone. There is no gentle way before it: the data
// are thrown away, and kube-apiserver's orderly end waits for its watchers.
func (c *child) kill() {
	c.asked.Store(true)
	// The one possible error is that the process has ended already.
	_ = c.process.Kill()
	<-c.ended
}

// alive tells whether the process has not ended yet.
func (c *child) alive() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// obituary is the error for a child that ended unasked: how, and the last lines of its log.
func (c *child) obituary() error {
	return fmt.Errorf("%s ended: %w\n%s", c.component, c.state, c.lastWords())
}

// lastWords quotes the end of the log, and says where the rest is.
func (c *child) lastWords() string {
	data, err := os.ReadFile(c.log)
	if err != nil {
		return fmt.Sprintf("(its log cannot be read: %v)", err)
	}
	return fmt.Sprintf("--- end of %s\n%s\n---", c.log, tail(data))
}

// tied calls run on an OS thread of its own. The parent death signal is sent when the thread that forked ends, not when
// its process does, and Go ends threads as it likes; a thread that is locked to a waiting goroutine stays.
func tied(run func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	run()
}

// runTied is cmd.Run for a command with childAttr.
func runTied(cmd *exec.Cmd) (err error) {
	tied(func() { err = cmd.Run() })
	return err
}

// killGroup kills a process that leads a group, and all whom it has started.
func killGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
