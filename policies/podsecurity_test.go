package policies_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/pack"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/policies"
)

// standard is the version of the Pod Security Standards that the packs are. Later ones allow more to Pods in a user
// namespace (hostUsers: false), which nodes may ignore.
const standard = "v1.34"

// chosen is the shipped bundle as somebody chooses of it.
func chosen(t *testing.T, choice pack.Choice) *engine.Snapshot {
	t.Helper()
	snapshot, _, err := bundle.Load(t.Context(), bundle.Sources{FS: policies.FS(), FSName: "shipped", Choice: choice})
	if err != nil {
		t.Fatalf("loading the bundle: %v", err)
	}
	return snapshot
}

// enforced is one pack alone, enforced.
func enforced(t *testing.T, name string) *engine.Snapshot {
	t.Helper()
	modes := map[string]pack.Mode{}
	for _, p := range packs {
		modes[p] = pack.Off
	}
	modes[name] = pack.Enforce
	return chosen(t, pack.Choice{Packs: modes})
}

// tester is a test, or one draw of a property.
type tester interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// refusedBy lists the rules that refuse the creation of an object, as policy/rule.
func refusedBy(t tester, s *engine.Snapshot, object map[string]any) []string {
	t.Helper()
	req, in := world().request(object)
	req.User = &authenticationv1.UserInfo{Username: "ada"}
	var by []string
	for _, d := range s.Validate(t.Context(), req, in) {
		if d.Status == engine.Error {
			t.Fatalf("%s/%s: %s", d.Policy.Name, d.Rule.Name, d.Message)
		}
		if d.Denies() {
			by = append(by, d.Policy.Name+"/"+d.Rule.Name)
		}
	}
	return by
}

// judges compares a pack's verdict on a Pod with that of Kubernetes' own library at the level of the pack's name.
type judges struct {
	pack    *engine.Snapshot
	library policy.Evaluator
	level   api.LevelVersion
}

func newJudges(t *testing.T, level api.Level) *judges {
	t.Helper()
	library, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	version, err := api.ParseVersion(standard)
	if err != nil {
		t.Fatal(err)
	}
	return &judges{enforced(t, string(level)), library, api.LevelVersion{Level: level, Version: version}}
}

// agree fails the test if they do not, and reports whether the Pod is refused.
func (j *judges) agree(t tester, pod *corev1.Pod) (refused bool) {
	t.Helper()
	for i := range pod.Spec.Volumes { // as the API server does before anybody is asked
		if v := &pod.Spec.Volumes[i]; v.VolumeSource == (corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	want := policy.AggregateCheckResults(j.library.EvaluatePod(j.level, &pod.ObjectMeta, &pod.Spec))
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatalf("%v", err)
	}
	by := refusedBy(t, j.pack, object)
	if (len(by) == 0) != want.Allowed {
		t.Fatalf("%s: the pack refuses by %v, the standard says %q of\n%s", j.level.Level, by, want.ForbiddenDetail(), raw)
	}
	return !want.Allowed
}

// The packs named after the Pod Security Standards refuse exactly what these do, on the Pods with which Kubernetes tests its
// own admission.
func TestPacksAreThePodSecurityStandardsOnTheirFixtures(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	if err != nil {
		t.Fatalf("finding the fixtures: %v", err)
	}
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		j := newJudges(t, level)
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "test", "testdata", string(level), standard, "*", "*.yaml"))
		const fewest = 40 // fewer, and they are somewhere else
		if err != nil || len(files) < fewest {
			t.Fatalf("%d fixtures of %s (%v): want %d at least", len(files), level, err, fewest)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pod := &corev1.Pod{}
			if err := yaml.Unmarshal(text, pod); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			t.Run(string(level)+"/"+filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
				if refused := j.agree(t, pod); refused != (filepath.Base(filepath.Dir(file)) == "fail") {
					t.Errorf("refused: %t", refused)
				}
			})
		}
	}
}

// The same on Pods that are made up: one that may run anywhere, with some things changed.
func TestPacksAreThePodSecurityStandards(t *testing.T) {
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		t.Run(string(level), func(t *testing.T) {
			j := newJudges(t, level)
			rapid.Check(t, func(t *rapid.T) { j.agree(t, drawPod(t)) })
		})
	}
}

// drawPod draws a Pod.
func drawPod(t *rapid.T) *corev1.Pod {
	pod := soundPod()
	for _, change := range rapid.SliceOfN(rapid.SampledFrom(changes), 0, 4).Draw(t, "changes") {
		all := append(slices.Clone(pod.Spec.InitContainers), pod.Spec.Containers...)
		at := rapid.IntRange(0, len(all)).Draw(t, "container")
		switch init := len(pod.Spec.InitContainers); {
		case at < init:
			change(t, pod, &pod.Spec.InitContainers[at])
		case at < len(all):
			change(t, pod, &pod.Spec.Containers[at-init])
		default:
			c := all[0].DeepCopy()
			change(t, pod, c)
			pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon(*c)}}
		}
	}
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		plainWindows(pod)
	}
	return pod
}

// plainWindows takes away what the API server lets no Pod for Windows have, and of which the standards say nothing there.
func plainWindows(pod *corev1.Pod) {
	pod.Spec.SecurityContext.SeccompProfile = nil
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			list[i].SecurityContext.SeccompProfile, list[i].SecurityContext.Capabilities = nil, nil
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		s := pod.Spec.EphemeralContainers[i].SecurityContext
		s.SeccompProfile, s.Capabilities = nil, nil
	}
}
