package podsecurity_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/engine/podsecurity"
)

// settings draws a securityContext, of a container or of a Pod, which breaks a control here and there.
func settings(t *rapid.T, ofContainer bool) map[string]any {
	out := map[string]any{}
	set := func(key string, values ...any) {
		if rapid.Bool().Draw(t, key+"?") {
			out[key] = rapid.SampledFrom(values).Draw(t, key)
		}
	}
	profile := func(types ...any) []any {
		for i := range types {
			types[i] = map[string]any{"type": types[i]}
		}
		return types
	}
	set("runAsNonRoot", true, false)
	set("runAsUser", 0.0, 1000.0)
	set("seccompProfile", profile("RuntimeDefault", "Localhost", "Unconfined")...)
	set("appArmorProfile", profile("RuntimeDefault", "Unconfined")...)
	set("windowsOptions", map[string]any{"hostProcess": true}, map[string]any{})
	set("seLinuxOptions", map[string]any{"type": "container_t"}, map[string]any{"type": "x", "user": "u"}, map[string]any{"role": "r"})
	if !ofContainer {
		set("sysctls", []any{map[string]any{"name": "kernel.sem"}, map[string]any{"name": "kernel.shm_rmid_forced"}})
		return out
	}
	set("privileged", true, false)
	set("allowPrivilegeEscalation", true, false)
	set("procMount", "Default", "Unmasked")
	set("capabilities", map[string]any{"drop": []any{"ALL"}}, map[string]any{"drop": []any{"ALL"}, "add": []any{"CHOWN", "BPF"}}, map[string]any{"add": []any{"BPF"}})
	return out
}

func containers(t *rapid.T) []any {
	var out []any
	for i := range rapid.IntRange(0, 3).Draw(t, "containers") {
		c := map[string]any{"name": string(rune('a' + i)), "image": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "image"), "securityContext": settings(t, true)}
		if rapid.Bool().Draw(t, "ports") {
			c["ports"] = []any{map[string]any{"hostPort": 80.0}, map[string]any{"containerPort": 80.0}}
		}
		out = append(out, c)
	}
	return out
}

var objects = rapid.Custom(func(t *rapid.T) map[string]any {
	spec := map[string]any{"containers": containers(t), "initContainers": containers(t), "securityContext": settings(t, false)}
	for _, key := range []string{"hostPID", "hostNetwork"} {
		spec[key] = rapid.Bool().Draw(t, key)
	}
	var volumes []any
	for range rapid.IntRange(0, 2).Draw(t, "volumes") {
		kind := rapid.SampledFrom([]string{"emptyDir", "hostPath", "nfs"}).Draw(t, "volume")
		volumes = append(volumes, map[string]any{"name": "v", kind: map[string]any{"path": "/x"}})
	}
	spec["volumes"] = volumes
	return map[string]any{"kind": "Pod", "spec": spec}
})

var standards = rapid.Custom(func(t *rapid.T) kyvernov1.PodSecurityStandard {
	return rapid.SampledFrom([]kyvernov1.PodSecurityStandard{
		{ControlName: "Host Namespaces"},
		{ControlName: "Seccomp"},
		{ControlName: "Seccomp", Images: []string{"a"}},
		{ControlName: "Seccomp", RestrictedField: "spec.containers[*].securityContext.seccompProfile.type", Values: []string{"Unconfined"}},
		{ControlName: "Running as Non-root"},
		{ControlName: "Running as Non-root", Images: []string{"b"}},
		{ControlName: "Running as Non-root user", Images: []string{"*"}},
		{ControlName: "Capabilities", Images: []string{"a"}},
		{ControlName: "Capabilities", Images: []string{"*"}, RestrictedField: "spec.initContainers[*].securityContext.capabilities.add", Values: []string{"B*"}},
		{ControlName: "Privilege Escalation", Images: []string{"*"}},
		{ControlName: "Privileged Containers", Images: []string{"b"}},
		{ControlName: "Volume Types"},
		{ControlName: "SELinux"},
		{ControlName: "Sysctls"},
	}).Draw(t, "exclusion")
})

// Without exclusions the verdict is Kubernetes' own, and each control that refuses names a field.
func TestVerdictIsTheLibrarys(t *testing.T) {
	library, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := []string{"v1.25", "v1.30", "v1.34"}
	rapid.Check(t, func(t *rapid.T) {
		object := objects.Draw(t, "object")
		level := rapid.SampledFrom([]api.Level{api.LevelBaseline, api.LevelRestricted}).Draw(t, "level")
		version := rapid.SampledFrom(versions).Draw(t, "version")
		c, err := podsecurity.Compile(&kyvernov1.PodSecurity{Level: level, Version: version})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var pod corev1.Pod
		if err := json.Unmarshal(raw, &pod); err != nil {
			t.Fatal(err)
		}
		parsed, err := api.ParseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		want := policy.AggregateCheckResults(library.EvaluatePod(api.LevelVersion{Level: level, Version: parsed}, &pod.ObjectMeta, &pod.Spec))
		got := evaluate(c, object, nil)
		if (got.Outcome == podsecurity.Pass) != want.Allowed || got.Outcome == podsecurity.Error {
			t.Fatalf("got %s, the library: %s", verdict(got), want.ForbiddenDetail())
		}
		for _, v := range got.Violations {
			for _, f := range v.Fields {
				if f.Path == "" {
					t.Fatalf("%s names no field: %s", v.Control, v.Detail)
				}
			}
		}
	})
}

// The order in which exclusions stand never matters, nor whether the policy or an exception has them; and no
// exclusion makes a check refuse more.
func TestExclusionsHaveNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := objects.Draw(t, "object")
		list := rapid.SliceOfN(standards, 0, 8).Draw(t, "exclusions")
		shuffled := append([]kyvernov1.PodSecurityStandard(nil), list...)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		cut := rapid.IntRange(0, len(list)).Draw(t, "cut")

		whole := judge(t, object, list, nil)
		parted := judge(t, object, shuffled[:cut], shuffled[cut:])
		if whole.Outcome == podsecurity.Pass && parted.Outcome == podsecurity.Excused {
			parted.Outcome = podsecurity.Pass
		}
		if verdict(whole) != verdict(parted) {
			t.Fatalf("together: %s\nparted:   %s", verdict(whole), verdict(parted))
		}
		fewer := judge(t, object, list[:cut], nil)
		if fewer.Outcome < whole.Outcome {
			t.Fatalf("with fewer exclusions %s, with more %s", verdict(fewer), verdict(whole))
		}
	})
}

func judge(t *rapid.T, object map[string]any, own, extra []kyvernov1.PodSecurityStandard) podsecurity.Result {
	c, err := podsecurity.Compile(&kyvernov1.PodSecurity{Level: api.LevelRestricted, Exclude: own})
	if err != nil {
		t.Fatal(err)
	}
	x, err := podsecurity.CompileExclusions(extra)
	if err != nil {
		t.Fatal(err)
	}
	return evaluate(c, object, x)
}
