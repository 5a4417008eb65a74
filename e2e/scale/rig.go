package scale

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
	"github.com/holdfast-io/holdfast/e2e/fleet"
	"github.com/holdfast-io/holdfast/e2e/serving"
)

// rig is the control plane, the holdfast beside it, and the client that makes changes.
type rig struct {
	options Options
	cp      *controlplane.ControlPlane
	kube    kubernetes.Interface
	client  rest.Interface
	own     counting // requests of client
	subject *subject
	sound   []object // workloads that nothing was done to yet
	result  *Result
}

// Names of the processes in results.
const nameHoldfast = "holdfast"

// account is who holdfast is to the API server: not an administrator, whom the server's fairness leaves out.
const account = "system:serviceaccount:holdfast:holdfast"

func newRig(ctx context.Context, options Options, dir string) (_ *rig, err error) {
	binary := options.Binary
	if binary == "" {
		if binary, err = (controlplane.Builder{Progress: options.Progress}).Holdfast(ctx); err != nil {
			return nil, err
		}
	}
	cp, err := controlplane.Start(ctx, controlplane.Options{
		Progress: options.Progress,
		ExtraArgs: map[controlplane.Component][]string{
			// A tenth of the Services of a fleet want a node port, of which there are 2,768 by default.
			controlplane.APIServer: {"--service-node-port-range=1024-60999"},
		},
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, cp.Stop())
		}
	}()
	r := &rig{options: options, cp: cp, own: counting{mu: &sync.Mutex{}, made: map[string]int{}}, result: &Result{Started: time.Now()}}
	config := cp.RESTConfig()
	config.WarningHandler = rest.NoWarnings{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		r.own.next = next
		return r.own
	})
	if r.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	r.client = r.kube.CoreV1().RESTClient()
	if err := r.grant(ctx); err != nil {
		return nil, err
	}
	if err := r.definePolicies(ctx); err != nil {
		return nil, err
	}
	return r, r.prepareSubject(binary, dir)
}

// grant gives holdfast's account all rights.
func (r *rig) grant(ctx context.Context) error {
	_, err := r.kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scale-holdfast"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: account}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("grant holdfast its rights: %w", err)
	}
	return nil
}

// definePolicies installs the definition of ClusterPolicies from Kyverno's module.
func (r *rig) definePolicies(ctx context.Context) error {
	module, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find this module: %w", err)
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kyverno/kyverno")
	list.Dir = filepath.Dir(filepath.Dir(strings.TrimSpace(string(module)))) // this module is nested in the one that has it
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("find the definition of policies: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "config", "crds", "kyverno", "kyverno.io_clusterpolicies.yaml"))
	if err == nil {
		text, err = yaml.YAMLToJSON(text)
	}
	if err != nil {
		return fmt.Errorf("read the definition of policies: %w", err)
	}
	err = r.client.Post().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").SetHeader("Content-Type", "application/json").Body(text).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("define policies: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, look, time.Minute, true, func(ctx context.Context) (bool, error) {
		err := r.client.Get().AbsPath(path(clusterPolicies, "")).Do(ctx).Error()
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("wait for policies to be served: %w", err)
	}
	return nil
}

func (r *rig) prepareSubject(binary, dir string) error {
	kubeconfig, err := r.cp.KubeconfigFor(account, "system:serviceaccounts", "system:serviceaccounts:holdfast")
	if err != nil {
		return err
	}
	s := &subject{say: r.say, profiles: r.options.Profiles, options: serving.Options{
		Binary: binary, Kubeconfig: filepath.Join(dir, "holdfast.kubeconfig"),
		StateDir: filepath.Join(dir, "state"), LogPath: filepath.Join(dir, "holdfast.log"), Env: r.options.Env,
		// Without admission, what is wrong gets in, and no CPU is spent on it. Planning what would mend it costs more than
		// the audit does, the API server above all: whoever wants that measured too says so after it.
		Args: append([]string{"--admission=false", "--reconcile-mode=report"}, r.options.Args...),
	}}
	if err := os.WriteFile(s.options.Kubeconfig, kubeconfig, 0o600); err != nil {
		return fmt.Errorf("write holdfast's kubeconfig: %w", err)
	}
	if s.profiles != "" {
		if err := os.MkdirAll(s.profiles, 0o700); err != nil {
			return fmt.Errorf("make the folder for profiles: %w", err)
		}
	}
	for _, p := range r.options.Policies {
		absolute, err := filepath.Abs(p) // holdfast runs in a folder of its own
		if err != nil {
			return fmt.Errorf("find the policies %s: %w", p, err)
		}
		s.options.Args = append(s.options.Args, "--bundle", absolute)
	}
	profile := 0
	for _, port := range []*int{&s.options.Port, &s.options.MetricsPort, &profile} {
		if *port, err = r.cp.FreePort(); err != nil {
			return err
		}
	}
	s.profile = fmt.Sprintf("127.0.0.1:%d", profile)
	s.options.Args = append(s.options.Args, "--pprof-listen", s.profile)
	r.subject = s
	return nil
}

func (r *rig) close() error {
	if r.subject.process != nil {
		r.subject.process.Kill()
	}
	return r.cp.Stop()
}

func (r *rig) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.options.Progress, "scale: "+format+"\n", args...)
}

// fleet gives the objects to create.
func (r *rig) fleet() iter.Seq2[fleet.Object, error] {
	if r.options.File != "" {
		return fleet.Read(r.options.File)
	}
	return func(yield func(fleet.Object, error) bool) {
		for o := range fleet.Generate(r.options.Objects, r.options.Seed) {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// take gives some workloads that nothing was done to yet, at most a third of what is left.
func (r *rig) take(n int) []object {
	n = min(n, max(1, len(r.sound)/3), len(r.sound))
	some := r.sound[:n]
	r.sound = r.sound[n:]
	return some
}
