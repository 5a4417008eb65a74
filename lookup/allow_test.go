package lookup

import (
	"net/url"
	"testing"
)

func TestServicesThatCannotBeAllowed(t *testing.T) {
	for text, want := range map[string]string{
		"api.test":                        `allowed service "api.test": expected http://HOST or https://HOST, with or without a port and a path`,
		"ftp://api.test":                  `allowed service "ftp://api.test": expected http://HOST or https://HOST, with or without a port and a path`,
		"https://":                        `allowed service "https://": expected http://HOST or https://HOST, with or without a port and a path`,
		"https://:443":                    `allowed service "https://:443": expected http://HOST or https://HOST, with or without a port and a path`,
		"":                                `allowed service "": expected http://HOST or https://HOST, with or without a port and a path`,
		"https://me@api.test":             `allowed service "https://me@api.test": a user, a query or a fragment cannot be part of it`,
		"https://api.test?a=b":            `allowed service "https://api.test?a=b": a user, a query or a fragment cannot be part of it`,
		"https://*.test":                  `allowed service "https://*.test": a host has no wildcards`,
		"https://api.test/a/../b":         `allowed service "https://api.test/a/../b": the path has . or .. in it`,
		"http://[::1":                     `allowed service "http://[::1": missing ']' in host`,
		"http://169.254.169.254":          `allowed service "http://169.254.169.254": its address is a link-local address`,
		"http://[::ffff:169.254.169.254]": `allowed service "http://[::ffff:169.254.169.254]": its address is a link-local address`,
		"http://100.100.100.200:80/x":     `allowed service "http://100.100.100.200:80/x": its address is a metadata address`,
		"http://0.0.0.0:80":               `allowed service "http://0.0.0.0:80": its address is an unspecified address`,
		"http://127.0.0.1":                `allowed service "http://127.0.0.1": a loopback address needs its port`,
		"http://[::1]/":                   `allowed service "http://[::1]/": a loopback address needs its port`,
		"http://127.0.0.1:8080":           "",
		"http://10.1.2.3":                 "",
		"https://svc.ns.svc:8443/v1":      "",
	} {
		_, err := ParseServices([]string{"https://fine.test", text})
		says(t, err, want)
	}
}

func TestWhatAnAllowedServiceAllows(t *testing.T) {
	for name, test := range map[string]struct {
		allowed, asked string
		want           bool
	}{
		"its host":                       {"https://api.test", "https://api.test/any?q=1", true},
		"in another spelling":            {"https://API.test", "https://api.TEST.:443/", true},
		"with the default port spelled":  {"http://api.test:80/", "http://api.test/x", true},
		"its path":                       {"https://api.test/v1", "https://api.test/v1", true},
		"below its path":                 {"https://api.test/v1/", "https://api.test/v1/x", true},
		"with slashes":                   {"https://api.test/v1", "https://api.test//v1//x", true},
		"not beside its path":            {"https://api.test/v1", "https://api.test/v12", false},
		"not another port":               {"https://api.test", "https://api.test:444", false},
		"not another scheme":             {"https://api.test", "http://api.test:443", false},
		"not below its name":             {"https://api.test", "https://x.api.test", false},
		"not what ends so":               {"https://api.test", "https://evilapi.test", false},
		"not an address of another form": {"http://10.1.2.3", "http://0x0a010203", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseServices([]string{test.allowed})
			if err != nil {
				t.Fatal(err)
			}
			asked, err := url.Parse(test.asked)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.allow(asked) == nil; got != test.want {
				t.Errorf("%s allows %s: %t", test.allowed, test.asked, got)
			}
		})
	}
}
