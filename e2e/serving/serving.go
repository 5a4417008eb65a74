// Package serving runs the real holdfast binary as a process beside a control plane: options flow in, a process that
// says it is ready flows out, with its log and the way it ended. It talks to the process over its HTTP paths and by
// signals only, as an operator would, and imports nothing of the product.
package serving

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Options say how to run `holdfast serve`.
type Options struct {
	// Binary is the path of holdfast.
	Binary string
	// Kubeconfig leads to the cluster.
	Kubeconfig string
	// Bundle is the file or folder of policies. Default: the shipped bundle.
	Bundle string
	// Port of the webhook and MetricsPort of /readyz, on 127.0.0.1.
	Port, MetricsPort int
	// WebhookPort is where the API server is sent. Default: Port; another one for a load balancer in between.
	WebhookPort int
	// WebhookName names the webhook configurations. Default: the program's own; two programs need two names.
	WebhookName string
	// AllowedServices are the URLs of services that policies may call.
	AllowedServices []string
	// Args are further arguments of serve, and Env further variables of its environment.
	Args, Env []string
	// StateDir keeps the certificates; the log goes to LogPath, appended. Both survive the process.
	StateDir, LogPath string
}

// Process is a running `holdfast serve`.
type Process struct {
	options Options
	process *os.Process
	ended   chan struct{}
	state   error // to be read when ended is closed
}

// pollInterval is how often /readyz is asked. It bounds the error of the times that callers measure.
const pollInterval = 50 * time.Millisecond

// Start starts the process and waits until it says that it is ready. When ctx is done before that, or the process ends,
// the error quotes the end of its log.
func Start(ctx context.Context, options Options) (*Process, error) {
	p, err := Launch(options)
	if err != nil {
		return nil, err
	}
	if err := p.AwaitReady(ctx); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Launch starts the process and does not wait.
func Launch(options Options) (*Process, error) {
	if options.WebhookPort == 0 {
		options.WebhookPort = options.Port
	}
	if err := os.MkdirAll(options.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("start holdfast: %w", err)
	}
	log, err := os.OpenFile(options.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start holdfast: open its log: %w", err)
	}
	cmd := exec.Command(options.Binary, options.args()...)
	cmd.Dir = filepath.Dir(options.LogPath)
	// Nothing of the caller's: no proxy, no kubeconfig, no HOLDFAST_* settings.
	cmd.Env = append([]string{"HOME=" + options.StateDir, "PATH=/usr/bin:/bin"}, options.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr()
	p := &Process{options: options, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent death signal is sent when the thread that forked ends; a locked one stays as long as this goroutine.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = log.Close() // the child has its own descriptor
		p.process = cmd.Process
		started <- err
		if err == nil {
			p.state = cmd.Wait()
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start holdfast: %w", err)
	}
	return p, nil
}

func (o Options) args() []string {
	args := []string{
		"serve", "--kubeconfig", o.Kubeconfig, "--state-dir", o.StateDir,
		"--webhook-url", fmt.Sprintf("https://127.0.0.1:%d", o.WebhookPort),
		"--listen", fmt.Sprintf("127.0.0.1:%d", o.Port),
		"--metrics-listen", fmt.Sprintf("127.0.0.1:%d", o.MetricsPort),
	}
	if o.Bundle != "" {
		args = append(args, "--bundle", o.Bundle)
	}
	if o.WebhookName != "" {
		args = append(args, "--webhook-name", o.WebhookName)
	}
	for _, url := range o.AllowedServices {
		args = append(args, "--allowed-service-url", url)
	}
	return append(args, o.Args...)
}

// CommandLine is how a person would have started it.
func (o Options) CommandLine() string {
	if o.WebhookPort == 0 {
		o.WebhookPort = o.Port
	}
	return "holdfast " + strings.Join(o.args(), " ")
}

// AwaitReady waits until /readyz answers 200.
func (p *Process) AwaitReady(ctx context.Context) error {
	last := errors.New("nothing was asked yet")
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended:
			return false, fmt.Errorf("it ended: %s", p.ending())
		default:
		}
		last = p.ready(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for holdfast to be ready: %w (last answer: %w)\n%s", err, last, p.LogTail())
	}
	return nil
}

// ready asks once.
func (p *Process) ready(ctx context.Context) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/readyz", p.options.MetricsPort)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	_ = resp.Body.Close() // nothing of it is read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// Stop asks the process to end, as Ctrl-C does, and waits for it. An error means that it did not end with exit code 0
// before ctx was done; it is killed then.
func (p *Process) Stop(ctx context.Context) error {
	// The one possible error is that the process has ended already, and that shows in its state.
	_ = p.process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("stop holdfast: it did not end: %w\n%s", context.Cause(ctx), p.LogTail())
	}
	if p.state != nil {
		return fmt.Errorf("stop holdfast: it ended with %s\n%s", p.ending(), p.LogTail())
	}
	return nil
}

// Kill ends the process without giving it time for anything, and waits until it is gone. It may be called again.
func (p *Process) Kill() {
	_ = p.process.Kill() // fails only when it is gone already
	<-p.ended
}

// PID is the process's number, also when it has ended.
func (p *Process) PID() int { return p.process.Pid }

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

func (p *Process) ending() string {
	if p.state == nil {
		return "exit status 0"
	}
	return p.state.Error()
}

// Log is what this process, and those before it with the same LogPath, have printed.
func (p *Process) Log() string {
	data, err := os.ReadFile(p.options.LogPath)
	if err != nil {
		return fmt.Sprintf("(its log cannot be read: %v)", err)
	}
	return string(data)
}

// LogTail is the end of the log: enough to see a cause.
func (p *Process) LogTail() string {
	const most = 30
	lines := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	return fmt.Sprintf("--- end of %s\n%s\n---", p.options.LogPath, strings.Join(lines[max(0, len(lines)-most):], "\n"))
}
