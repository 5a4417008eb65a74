package app

import (
	"testing"
	"time"
)

func TestSettleOptionsAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		options SettleOptions
		want    string
	}{
		"the defaults":                 {DefaultSettleOptions(), ""},
		"none":                         {SettleOptions{}, ""},
		"namespaces":                   {SettleOptions{Namespaces: []string{"dev-*=5m", "prod=0s"}}, ""},
		"a negative time":              {SettleOptions{Default: -time.Second}, "--settle -1s: expected 0 to 24h"},
		"a time that is too long":      {SettleOptions{Default: 25 * time.Hour}, "--settle 25h0m0s: expected 0 to 24h"},
		"no namespace":                 {SettleOptions{Namespaces: []string{"=1m"}}, `--settle-namespace "=1m": expected NAMESPACE=DURATION`},
		"no time":                      {SettleOptions{Namespaces: []string{"dev"}}, `--settle-namespace "dev": expected NAMESPACE=DURATION`},
		"a time that is none":          {SettleOptions{Namespaces: []string{"dev=soon"}}, `--settle-namespace "dev=soon": "soon" is no duration from 0 to 24h`},
		"a pattern that is none":       {SettleOptions{Namespaces: []string{"dev-[=1m"}}, `--settle-namespace "dev-[=1m": "dev-[" is no pattern of names: syntax error in pattern`},
		"a namespace's time too long ": {SettleOptions{Namespaces: []string{"dev=48h"}}, `--settle-namespace "dev=48h": "48h" is no duration from 0 to 24h`},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := test.options.Validate(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	o := SettleOptions{Namespaces: []string{"dev-*=5m"}}
	if s := o.audit(); s.Default != -1 || len(s.Namespaces) != 1 || s.Namespaces[0].Time != 5*time.Minute {
		t.Errorf("the auditor gets %+v", s)
	}
}
