package podsecurity

import (
	"fmt"

	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Checks of the library, as far as they are told apart here.
const (
	allowPrivilegeEscalation policy.CheckID = "allowPrivilegeEscalation"
	appArmorProfile          policy.CheckID = "appArmorProfile"
	capabilitiesBaseline     policy.CheckID = "capabilities_baseline"
	capabilitiesRestricted   policy.CheckID = "capabilities_restricted"
	hostNamespaces           policy.CheckID = "hostNamespaces"
	hostPathVolumes          policy.CheckID = "hostPathVolumes"
	hostPorts                policy.CheckID = "hostPorts"
	hostProbes               policy.CheckID = "hostProbesAndHostLifecycle"
	privileged               policy.CheckID = "privileged"
	procMount                policy.CheckID = "procMount"
	restrictedVolumes        policy.CheckID = "restrictedVolumes"
	runAsNonRoot             policy.CheckID = "runAsNonRoot"
	runAsUser                policy.CheckID = "runAsUser"
	seccompBaseline          policy.CheckID = "seccompProfile_baseline"
	seccompRestricted        policy.CheckID = "seccompProfile_restricted"
	seLinuxOptions           policy.CheckID = "seLinuxOptions"
	sysctls                  policy.CheckID = "sysctls"
	windowsHostProcess       policy.CheckID = "windowsHostProcess"
)

// scope says whose settings a control is about, and so whether an exclusion of it names images.
type scope uint8

const (
	anyScope       scope = iota // of the Pod and of its containers
	podScope                    // of the Pod alone: no images
	containerScope              // of containers alone: images are required
)

// control is one control of the standards, under the name that exclusions use.
type control struct {
	name   string
	scope  scope
	checks []policy.CheckID
	// restricted is true for a control that has no check at level baseline.
	restricted bool
}

// controls lists what an exclusion may name.
func controls() []control {
	return []control{
		{name: "HostProcess", checks: []policy.CheckID{windowsHostProcess}},
		{name: "Host Namespaces", scope: podScope, checks: []policy.CheckID{hostNamespaces}},
		{name: "Privileged Containers", scope: containerScope, checks: []policy.CheckID{privileged}},
		{name: "Capabilities", scope: containerScope, checks: []policy.CheckID{capabilitiesBaseline, capabilitiesRestricted}},
		{name: "HostPath Volumes", scope: podScope, checks: []policy.CheckID{hostPathVolumes}},
		{name: "Host Ports", scope: containerScope, checks: []policy.CheckID{hostPorts}},
		{name: "AppArmor", checks: []policy.CheckID{appArmorProfile}},
		{name: "SELinux", checks: []policy.CheckID{seLinuxOptions}},
		{name: "/proc Mount Type", scope: containerScope, checks: []policy.CheckID{procMount}},
		{name: "Seccomp", checks: []policy.CheckID{seccompBaseline, seccompRestricted}},
		{name: "Sysctls", scope: podScope, checks: []policy.CheckID{sysctls}},
		{name: "Volume Types", scope: podScope, checks: []policy.CheckID{restrictedVolumes}, restricted: true},
		{name: "Privilege Escalation", scope: containerScope, checks: []policy.CheckID{allowPrivilegeEscalation}, restricted: true},
		{name: "Running as Non-root", checks: []policy.CheckID{runAsNonRoot}, restricted: true},
		{name: "Running as Non-root user", checks: []policy.CheckID{runAsUser}, restricted: true},
	}
}

// controlName gives the name of a check's control. Kyverno has none for the check of probes, which
// therefore cannot be excluded.
func controlName(id policy.CheckID) string {
	for _, c := range controls() {
		for _, check := range c.checks {
			if check == id {
				return c.name
			}
		}
	}
	if id == hostProbes {
		return "Host Probes / Lifecycle Hooks"
	}
	return string(id)
}

// newest is the version of the standards that "latest" stands for: the newest that Kyverno 1.19 knows.
// Later ones allow more to Pods in a user namespace, and what a policy refuses must not begin to pass
// because a library was updated.
func newest() api.Version { return api.MajorMinorVersion(1, 34) }

// revision is a check as it stands in one version of the standards.
type revision struct {
	id      policy.CheckID
	control string
	run     policy.CheckPodFn
}

// revisions lists the checks of a level. Two things are Kyverno's and stricter than the library's own
// choice: a version from before a check's first has the check all the same, and the restricted level keeps
// the checks of baseline that a restricted one covers, so that both must be excluded.
func revisions(level api.Level, version api.Version) []revision {
	if level == api.LevelPrivileged {
		return nil
	}
	last := newest()
	if last.Older(version) {
		version = last
	}
	var out []revision
	for _, check := range policy.DefaultChecks() {
		if level == api.LevelBaseline && check.Level != api.LevelBaseline {
			continue
		}
		if last.Older(check.Versions[0].MinimumVersion) {
			continue
		}
		r := revision{id: check.ID, control: controlName(check.ID), run: check.Versions[0].CheckPod}
		for _, v := range check.Versions[1:] {
			if !version.Older(v.MinimumVersion) {
				r.run = v.CheckPod
			}
		}
		out = append(out, r)
	}
	return out
}

// parseLevel reads the level. A policy that names none gets the strictest.
func parseLevel(level api.Level) (api.Level, error) {
	if level == "" {
		return api.LevelRestricted, nil
	}
	if !level.Valid() {
		return "", fmt.Errorf("unknown level %q: expected privileged, baseline or restricted", level)
	}
	return level, nil
}

// parseVersion reads the version of the standards, such as v1.29 or latest.
func parseVersion(version string) (api.Version, error) {
	last := newest()
	if version == "" {
		return api.LatestVersion(), nil
	}
	v, err := api.ParseVersion(version)
	if err != nil || (!v.Latest() && last.Older(v)) {
		return api.Version{}, fmt.Errorf("unknown version %q: expected latest, or v1.0 to %s", version, last)
	}
	return v, nil
}
