package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// ControlPlane is a running control plane. Its methods may be called from any goroutine, and again after Stop.
type ControlPlane struct {
	site     *site
	tools    map[string]string
	progress *progress
	block    *portBlock
	prober   *http.Client
	admin    *rest.Config
	client   kubernetes.Interface
	close    func() error // gives back the directory and the ports
	nodes    atomic.Int64 // how many AddNodes has made

	mu       sync.Mutex
	children map[Component]*child
	deaths   []error       // of components that ended unasked
	died     chan struct{} // closed at the first of them
	stopped  bool
}

// Build fills the cache with the programs that Start would need, and starts nothing.
func Build(ctx context.Context, options Options) error {
	if err := options.Validate(); err != nil {
		return err
	}
	_, err := options.builder().Tools(ctx, options.programs()...)
	return err
}

// Start builds what is missing in the cache, starts the components and waits until each works. When ctx is done before
// that, or a component fails, it stops what it has started; the error then names the component and quotes its log.
// The control plane runs on when ctx ends later: only Stop stops it, or the end of this process.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	tools, err := options.builder().Tools(ctx, options.programs()...)
	if err != nil {
		return nil, fmt.Errorf("start a control plane: %w", err)
	}
	cp, err := prepare(options, tools)
	if err != nil {
		return nil, fmt.Errorf("start a control plane: %w", err)
	}
	start := time.Now()
	cp.progress.say("starting in %s", cp.Dir())
	if err := cp.startAll(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a control plane: %w", err), cp.stop(keepDir))
	}
	cp.progress.say("ready in %s, kubeconfig %s", since(start), cp.KubeconfigPath())
	return cp, nil
}

// prepare makes the directory, takes the ports and writes the files.
func prepare(options Options, tools map[string]string) (_ *ControlPlane, err error) {
	now := time.Now()
	s := &site{options: options, ports: map[string]int{}}
	dir, closeDir, err := openDir(options, now)
	if err != nil {
		return nil, err
	}
	s.dir = dir
	block, err := reservePorts()
	if err != nil {
		return nil, errors.Join(err, closeDir())
	}
	cp := &ControlPlane{
		site: s, tools: tools, block: block, progress: newProgress(options.builder().Progress),
		children: map[Component]*child{}, died: make(chan struct{}),
		close: func() error { return errors.Join(block.release(), closeDir()) },
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, cp.close())
		}
	}()
	for _, use := range []string{portEtcd, portEtcdPeer, portAPI, string(ControllerManager), string(Scheduler), string(Kwok)} {
		if s.ports[use], err = block.take(); err != nil {
			return nil, err
		}
	}
	if err := s.lay(now); err != nil {
		return nil, err
	}
	if cp.prober, err = newProber(s.authority, now); err != nil {
		return nil, err
	}
	if cp.admin, err = cp.RESTConfigFor(adminUser, adminGroup); err != nil {
		return nil, err
	}
	if cp.client, err = kubernetes.NewForConfig(cp.admin); err != nil {
		return nil, fmt.Errorf("make the administrator's client: %w", err)
	}
	return cp, nil
}

// openDir gives the directory to work in, and the function that gives it back.
func openDir(options Options, now time.Time) (dir string, closeDir func() error, err error) {
	if options.Dir == "" {
		store, err := openCache(options.CacheDir)
		if err != nil {
			return "", nil, err
		}
		dir, lock, err := store.newRun(now)
		if err != nil {
			return "", nil, err
		}
		return dir, lock.Close, nil
	}
	dir, err = filepath.Abs(options.Dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("open the control plane's directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, fmt.Errorf("open the control plane's directory: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("open the control plane's directory: %s is not empty", dir)
	}
	return dir, func() error { return nil }, nil
}

// startAll starts etcd and kube-apiserver together, since the latter waits for the former by itself, and the rest
// together when there is an API to talk to.
func (cp *ControlPlane) startAll(ctx context.Context) error {
	if err := cp.startTogether(ctx, Etcd, APIServer); err != nil {
		return err
	}
	if cp.site.options.runs(Kwok) {
		if err := grantKwok(ctx, cp.client); err != nil {
			return err
		}
	}
	return cp.startTogether(ctx, cp.site.options.wanted()[2:]...)
}

func (cp *ControlPlane) startTogether(ctx context.Context, components ...Component) error {
	if len(components) == 0 {
		return nil
	}
	cp.progress.say("waiting for %s", joinComponents(components))
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range components {
		group.Go(func() error {
			ch, err := cp.start(c)
			if err != nil {
				return err
			}
			return cp.awaitReady(ctx, ch)
		})
	}
	return group.Wait()
}

// start starts one component, unless it runs already, and gives its process.
func (cp *ControlPlane) start(c Component) (*child, error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped {
		return nil, fmt.Errorf("start %s: %w", c, ErrStopped)
	}
	if ch := cp.children[c]; ch != nil && ch.alive() {
		return ch, nil
	}
	ch, err := startChild(command{
		component: c,
		path:      cp.tools[string(c)],
		args:      cp.site.args(c),
		dir:       cp.site.dir,
		log:       cp.site.logPath(c),
		// Nothing of the caller's: no proxy, no kubeconfig, no home whose settings a component would read. Collecting
		// garbage sooner halves what a component keeps, for a few percent of its time.
		env: []string{"HOME=" + cp.site.dir, "PATH=/usr/bin:/bin", "GOGC=50"},
	}, cp.onDeath)
	if err != nil {
		return nil, err
	}
	cp.children[c] = ch
	return ch, nil
}

// onDeath records a component that ended unasked.
func (cp *ControlPlane) onDeath(ch *child) {
	err := ch.obituary()
	cp.mu.Lock()
	if cp.deaths = append(cp.deaths, err); len(cp.deaths) == 1 {
		close(cp.died)
	}
	cp.mu.Unlock()
	cp.progress.say("%v", err)
}

// Err tells which components have ended without having been asked, with the last lines of their logs; nil if none.
func (cp *ControlPlane) Err() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return errors.Join(cp.deaths...)
}

// Died is closed when a component has ended without having been asked; Err then says which.
func (cp *ControlPlane) Died() <-chan struct{} { return cp.died }

// PID is the process number of a component; 0 if it is not running.
func (cp *ControlPlane) PID(c Component) int {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if ch := cp.children[c]; ch != nil && ch.alive() {
		return ch.process.Pid
	}
	return 0
}

// Runs tells whether the component is one of this control plane.
func (cp *ControlPlane) Runs(c Component) bool { return cp.site.options.runs(c) }

// Stop ends all components and removes the directory, unless Options named it. The error is that of Err, joined with
// whatever could not be cleared away. Later calls do nothing and give nil.
func (cp *ControlPlane) Stop() error {
	if cp.site.options.Dir != "" {
		return cp.stop(keepDir)
	}
	return cp.stop(removeDir)
}

type dirFate int

const (
	keepDir dirFate = iota
	removeDir
)

func (cp *ControlPlane) stop(fate dirFate) error {
	cp.mu.Lock()
	if cp.stopped {
		cp.mu.Unlock()
		return nil
	}
	cp.stopped = true
	children := cp.children
	cp.mu.Unlock()

	errs := []error{cp.Err()}
	// In reverse order of the start, so that no component fills its log with the absence of another.
	order := Everything()
	slices.Reverse(order)
	for _, c := range order {
		if ch := children[c]; ch != nil {
			ch.kill()
		}
	}
	if fate == removeDir {
		if err := os.RemoveAll(cp.site.dir); err != nil {
			errs = append(errs, fmt.Errorf("remove the control plane's directory: %w", err))
		}
	}
	errs = append(errs, cp.close())
	return errors.Join(errs...)
}

// Dir is the directory with data, certificates, kubeconfigs and logs.
func (cp *ControlPlane) Dir() string { return cp.site.dir }

// LogPath is the file that receives what the component prints.
func (cp *ControlPlane) LogPath(c Component) string { return cp.site.logPath(c) }

// KubeconfigPath is the administrator's kubeconfig file.
func (cp *ControlPlane) KubeconfigPath() string { return cp.site.file("admin.kubeconfig") }

// Kubeconfig is what the file at KubeconfigPath holds.
func (cp *ControlPlane) Kubeconfig() ([]byte, error) {
	data, err := os.ReadFile(cp.KubeconfigPath())
	if err != nil {
		return nil, fmt.Errorf("read the administrator's kubeconfig: %w", err)
	}
	return data, nil
}

// RESTConfig is a copy of the administrator's client configuration.
func (cp *ControlPlane) RESTConfig() *rest.Config { return rest.CopyConfig(cp.admin) }

// FreePort gives a port of 127.0.0.1 which no other control plane or its tests will be given, for a process to be run
// beside this control plane. Each call gives another one; there are a dozen.
func (cp *ControlPlane) FreePort() (int, error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped {
		return 0, ErrStopped
	}
	return cp.block.take()
}
