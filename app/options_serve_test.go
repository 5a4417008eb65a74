package app

import "testing"

func TestServeOptionsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*ServeOptions){
		"": func(*ServeOptions) {},
		`--listen "9443": expected HOST:PORT or :PORT`:                                                                     func(o *ServeOptions) { o.Listen = "9443" },
		`--metrics-listen "": expected HOST:PORT or :PORT`:                                                                 func(o *ServeOptions) { o.MetricsListen = "" },
		`--pprof-listen "6060": expected HOST:PORT`:                                                                        func(o *ServeOptions) { o.ProfileListen = "6060" },
		`--pprof-listen ":6060": expected a loopback address such as 127.0.0.1:6060, because profiles are for nobody else`: func(o *ServeOptions) { o.ProfileListen = ":6060" },
		"--namespace is empty": func(o *ServeOptions) { o.Namespace = "" },
		"--service is empty: expected the Service in front of the webhook, or --webhook-url": func(o *ServeOptions) { o.Service = "" },
		"--break-glass-users, --break-glass-groups: break glass: a user without a name":      func(o *ServeOptions) { o.BreakGlassUsers = []string{""} },
		`--webhook-url "http://a": expected https://HOST:PORT`:                               func(o *ServeOptions) { o.WebhookURL = "http://a" },
		`--webhook-url "https://": expected https://HOST:PORT`:                               func(o *ServeOptions) { o.WebhookURL = "https://" },
		`--webhook-url "https://a?b=c": a webhook's URL takes no user, query or fragment`:    func(o *ServeOptions) { o.WebhookURL = "https://a?b=c" },
		"--webhook-url needs --state-dir, to keep certificates in, or --cert-dir":            func(o *ServeOptions) { o.WebhookURL = "https://127.0.0.1:9443" },
	} {
		o := DefaultServeOptions()
		change(&o)
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
