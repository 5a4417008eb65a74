package app

import (
	"reflect"
	"testing"

	"github.com/holdfast-io/holdfast/bundle/pack"
)

func TestPacksAreChosenByOptions(t *testing.T) {
	options := PackOptions{
		Packs: []string{"baseline=enforce", "images=off"}, Policies: []string{"disallow-host-ports=audit"},
		Parameters: []string{"allowedRegistries=a.example.com/*", "allowedRegistries=b.example.com/x=y", "requiredLabels="},
	}
	want := pack.Choice{
		Packs: map[string]pack.Mode{"baseline": pack.Enforce, "images": pack.Off}, Policies: map[string]pack.Mode{"disallow-host-ports": pack.Audit},
		Parameters: map[string][]string{"allowedRegistries": {"a.example.com/*", "b.example.com/x=y"}, "requiredLabels": {}},
	}
	if got, err := options.choice(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
	}
}

func TestWrongChoicesAreNamed(t *testing.T) {
	for want, options := range map[string]PackOptions{
		`--pack "baseline": expected NAME=MODE`:                                           {Packs: []string{"baseline"}},
		`--pack "=audit": expected NAME=MODE`:                                             {Packs: []string{"=audit"}},
		`--pack "baseline=warn": unknown mode "warn": expected off, audit or enforce`:     {Packs: []string{"baseline=warn"}},
		`--policy "p=": unknown mode "": expected off, audit or enforce`:                  {Policies: []string{"p="}},
		`--policy "p=off": p is to be audit too`:                                          {Policies: []string{"p=audit", "p=off"}},
		`--parameter "b": expected NAME=VALUE, with the name before each value of a list`: {Parameters: []string{"allowed=a", "b"}},
	} {
		if err := options.Validate(); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
