package controlplane

import (
	"slices"
	"testing"
)

func TestOptionsAreCheckedByName(t *testing.T) {
	for name, tc := range map[string]struct {
		options Options
		want    string
	}{
		"nothing asked for is fine": {Options{}, ""},
		"arguments for a component that runs are fine": {
			Options{Components: []Component{Kwok}, ExtraArgs: map[Component][]string{APIServer: {"--v=1"}, Kwok: {"-v=-4"}}}, "",
		},
		"a component must be known": {
			Options{Components: []Component{"kubelet"}},
			`options: Components: unknown component "kubelet"; known are etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok`,
		},
		"arguments must be for a component that runs": {
			Options{ExtraArgs: map[Component][]string{Scheduler: {"--v=4"}}},
			`options: ExtraArgs: component "kube-scheduler" is not among those to run: etcd, kube-apiserver`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := tc.options.Validate(); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("error %q, want %q", got, tc.want)
			}
		})
	}
}

func TestStartRefusesWrongOptionsBeforeItBuilds(t *testing.T) {
	options := Options{Components: []Component{"kubelet"}, CacheDir: "/dev/null"}
	want := options.Validate().Error()
	if _, err := Start(t.Context(), options); err == nil || err.Error() != want {
		t.Errorf("Start: error %v, want %s", err, want)
	}
	if err := Build(t.Context(), options); err == nil || err.Error() != want {
		t.Errorf("Build: error %v, want %s", err, want)
	}
}

func TestComponentsAreReadFromAList(t *testing.T) {
	for list, want := range map[string][]Component{
		"":                        nil,
		"kwok":                    {Kwok},
		" kwok , kube-scheduler ": {Kwok, Scheduler},
		"all":                     Everything(),
	} {
		got, err := ParseComponents(list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseComponents(%q) = %v, %v; want %v", list, got, err, want)
		}
	}
	if _, err := ParseComponents("kwok,typo"); err == nil {
		t.Error("ParseComponents takes a component that is none")
	}
}

func TestComponentsStartInAFixedOrderAndOnceEach(t *testing.T) {
	got := Options{Components: []Component{Kwok, ControllerManager, Kwok, Etcd}}.wanted()
	if want := []Component{Etcd, APIServer, ControllerManager, Kwok}; !slices.Equal(got, want) {
		t.Errorf("wanted() = %v, want %v", got, want)
	}
}
