package controlplane

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Component names one program of the control plane.
type Component string

// The components. Etcd and APIServer always run; the others run where Options.Components names them.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
	Scheduler         Component = "kube-scheduler"
	// Kwok plays the kubelet: it makes nodes ready and runs the pods bound to them, without containers.
	Kwok Component = "kwok"
)

// Everything lists all components: what it takes for a Deployment to roll out.
func Everything() []Component {
	return []Component{Etcd, APIServer, ControllerManager, Scheduler, Kwok}
}

// Options say what to start. The zero value is etcd and kube-apiserver, with progress on standard error.
type Options struct {
	// Components to run beside etcd and kube-apiserver, in any order. Default: none, because those two serve most
	// tests and every other one costs memory and a second of start.
	Components []Component

	// Dir receives data, certificates, kubeconfigs and logs, and is left in place by Stop. It must be empty or absent.
	// Default: a new directory under the cache, which Stop removes.
	Dir string

	// CacheDir keeps built programs. Default: $HOLDFAST_E2E_CACHE, else "holdfast-e2e" in the user's cache directory,
	// so that the minutes of the first build are spent once for each user and not for each clone.
	CacheDir string

	// Progress receives one line for each thing that is built or waited for, and for each component that dies.
	// Default: standard error.
	Progress io.Writer

	// Quiet drops all progress.
	Quiet bool

	// AuditPolicy is the YAML of an audit.k8s.io/v1 Policy, for example AuditRequests. With it kube-apiserver writes
	// an audit log, which AuditEvents reads. Default: no audit log.
	AuditPolicy string

	// ExtraArgs are put behind a component's own arguments, so that a flag given here wins over the same flag there.
	ExtraArgs map[Component][]string
}

// Validate names the option that cannot be used.
func (o Options) Validate() error {
	for _, c := range o.Components {
		if !slices.Contains(Everything(), c) {
			return fmt.Errorf("options: Components: unknown component %q; known are %s", c, joinComponents(Everything()))
		}
	}
	for c := range o.ExtraArgs {
		if !o.runs(c) {
			return fmt.Errorf("options: ExtraArgs: component %q is not among those to run: %s", c, joinComponents(o.wanted()))
		}
	}
	return nil
}

// wanted lists the components to run in the order in which they are started.
func (o Options) wanted() []Component {
	var cs []Component
	for _, c := range Everything() {
		if c == Etcd || c == APIServer || slices.Contains(o.Components, c) {
			cs = append(cs, c)
		}
	}
	return cs
}

// runs tells whether the control plane will have the component.
func (o Options) runs(c Component) bool { return slices.Contains(o.wanted(), c) }

// programs lists what has to be built for the wanted components.
func (o Options) programs() []string {
	var names []string
	for _, c := range o.wanted() {
		names = append(names, string(c))
	}
	return names
}

// builder gives the builder that these options ask for.
func (o Options) builder() Builder {
	b := Builder{CacheDir: o.CacheDir, Progress: o.Progress}
	if o.Quiet {
		b.Progress = io.Discard
	}
	return b
}

// ParseComponents reads a comma-separated list of component names; "all" stands for every one.
func ParseComponents(list string) ([]Component, error) {
	var cs []Component
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
		case "all":
			cs = append(cs, Everything()...)
		default:
			cs = append(cs, Component(name))
		}
	}
	if err := (Options{Components: cs}).Validate(); err != nil {
		return nil, err
	}
	return cs, nil
}

// orStderr gives the place for progress when none was named.
func orStderr(w io.Writer) io.Writer {
	if w == nil {
		return os.Stderr
	}
	return w
}

func joinComponents(cs []Component) string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
}
