package lookup

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/holdfast-io/holdfast/engine"
)

func TestOptionsThatAreMissing(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*Options)
		want  string
	}{
		"Kube":      {func(o *Options) { o.Kube = nil }, "look-up options: Kube is missing"},
		"Metadata":  {func(o *Options) { o.Metadata = nil }, "look-up options: Metadata is missing"},
		"Dynamic":   {func(o *Options) { o.Dynamic = nil }, "look-up options: Dynamic is missing"},
		"Discovery": {func(o *Options) { o.Discovery = nil }, "look-up options: Discovery is missing"},
		"Server":    {func(o *Options) { o.Server = nil }, "look-up options: Server or Transport is missing"},
		"Transport": {func(o *Options) { o.Transport = nil }, "look-up options: Server or Transport is missing"},
		"Namespace": {func(o *Options) { o.Namespace = "" }, "look-up options: Namespace is missing"},
		"Timeout":   {func(o *Options) { o.Timeout = -time.Second }, "look-up options: Timeout is negative"},
		"a service": {func(o *Options) { o.AllowedServices = []string{"x"} }, `allowed service "x": expected http://HOST or https://HOST, with or without a port and a path`},
		"nothing":   {func(o *Options) { o.Timeout = 0 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newWorld(t).options
			test.spoil(&o)
			_, err := New(o)
			says(t, err, test.want)
		})
	}
}

func TestLookUpsAreCounted(t *testing.T) {
	server := answering(t, saying(200, "application/json", `1`))
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	w := newWorld(t, object("ConfigMap", "a", "settings", map[string]any{"data": "0123456789"}))
	w.options.Metrics, w.options.Server = registry, base
	w.start(t)
	if _, err := New(w.options); err == nil || !strings.HasPrefix(err.Error(), "registering the metrics of look-ups: ") {
		t.Errorf("twice: %v", err)
	}
	if err := w.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, _ = w.Get(ctx, configMaps, "a", "settings")
	_, _ = w.Get(ctx, configMaps, "a", "none")
	_, _ = w.List(ctx, configMaps, "", nil)
	_, _ = w.Call(ctx, &engine.Call{Path: "/api", Method: "GET"})
	_, _ = w.Call(ctx, get("https://api.test"))
	_, _ = w.GlobalContext(ctx, "none")
	_, _ = w.Image(ctx, &engine.ImageCall{Reference: "a b"})
	_, _ = w.NamespaceLabels(ctx, "none")
	_, _, _ = w.Roles(ctx, &authenticationv1.UserInfo{})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if f.GetName() == "holdfast_lookup_duration_seconds" {
				value = float64(m.GetHistogram().GetSampleCount())
			}
			got[strings.TrimPrefix(f.GetName(), "holdfast_lookup_")+" "+strings.Join(labels, " ")] = value
		}
	}
	for name, want := range map[string]float64{
		"requests_total found object": 1, "requests_total missing object": 1, "requests_total found list": 1, "requests_total found api_call": 1,
		"requests_total refused service_call": 1, "requests_total missing global_context": 1, "requests_total error image": 1,
		"requests_total missing namespace": 1, "requests_total found roles": 1, "duration_seconds object": 2,
		"watched_kinds ": 1, "cache_objects watches": 1, "cache_objects images": 0, "cache_objects global_context": 0,
		"global_context_entries read": 0, "global_context_entries failing": 0, "watch_failures_total ": 0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	if got["cache_bytes watches"] < 50 {
		t.Errorf("%v bytes", got["cache_bytes watches"])
	}
}
