package controlplane

import (
	"fmt"
	"slices"
	"strings"
)

// program is something that the builder can build from a module which e2e/go.mod pins.
type program struct {
	name   string // name of the binary
	module string // whose version names the cache entry
	pkg    string // main package
	// ldflags derives the linker's -X settings from the module's version.
	ldflags func(version string) []string
}

// catalog lists all programs: the components, then the tools that tests and the demo run beside them.
func catalog() []program {
	return []program{
		{name: string(Etcd), module: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3", ldflags: noLDFlags},
		kubernetesProgram(string(APIServer)),
		kubernetesProgram(string(ControllerManager)),
		kubernetesProgram(string(Scheduler)),
		{name: string(Kwok), module: "sigs.k8s.io/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", ldflags: noLDFlags},
		kubernetesProgram("kubectl"),
		{name: "helm", module: "helm.sh/helm/v4", pkg: "helm.sh/helm/v4/cmd/helm", ldflags: helmLDFlags},
	}
}

func kubernetesProgram(name string) program {
	const module = "k8s.io/kubernetes"
	return program{name: name, module: module, pkg: module + "/cmd/" + name, ldflags: kubernetesLDFlags}
}

// programNamed finds a program of the catalog.
func programNamed(name string) (program, error) {
	programs := catalog()
	i := slices.IndexFunc(programs, func(p program) bool { return p.name == name })
	if i < 0 {
		names := make([]string, len(programs))
		for i, p := range programs {
			names[i] = p.name
		}
		return program{}, fmt.Errorf("find program: no %q among %s", name, strings.Join(names, ", "))
	}
	return programs[i], nil
}

func noLDFlags(string) []string { return nil }

// kubernetesLDFlags states the version that a build from a module does not know by itself; without it the server
// answers "v0.0.0-master+$Format:%H$" to /version, which clients refuse to parse.
func kubernetesLDFlags(version string) []string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	const pkg = "k8s.io/component-base/version"
	return []string{
		"-X", pkg + ".gitVersion=" + version,
		"-X", pkg + ".gitMajor=" + major,
		"-X", pkg + ".gitMinor=" + minor,
		"-X", pkg + ".gitTreeState=clean",
	}
}

// helmLDFlags gives helm its full version, which it sends as user agent and checks charts against.
func helmLDFlags(version string) []string {
	return []string{"-X", "helm.sh/helm/v4/internal/version.version=" + version}
}
