package lookup

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// Services are the URLs that policies may call: what the operator lists, and nothing else.
type Services struct{ prefixes []*url.URL }

// ParseServices reads URLs that may be called. Each is SCHEME://HOST[:PORT][/PATH] and allows that host, and with a path
// only what is below it. A host is a name or an address, without wildcards. Link-local and metadata addresses are
// errors; a loopback address is allowed only here, written as an address with its port.
func ParseServices(urls []string) (*Services, error) {
	s := &Services{}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("allowed service %q: %w", text, errors.Unwrap(err))
		}
		switch {
		case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
			return nil, fmt.Errorf("allowed service %q: expected http://HOST or https://HOST, with or without a port and a path", text)
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			return nil, fmt.Errorf("allowed service %q: a user, a query or a fragment cannot be part of it", text)
		case strings.Contains(u.Host, "*"):
			return nil, fmt.Errorf("allowed service %q: a host has no wildcards", text)
		case dotted(u.Path):
			return nil, fmt.Errorf("allowed service %q: the path has . or .. in it", text)
		}
		if address, err := netip.ParseAddr(u.Hostname()); err == nil {
			switch reason := unreachable(address); {
			case reason == loopback && u.Port() == "":
				return nil, fmt.Errorf("allowed service %q: a loopback address needs its port", text)
			case reason != "" && reason != loopback:
				return nil, fmt.Errorf("allowed service %q: its address is %s", text, reason)
			}
		}
		s.prefixes = append(s.prefixes, u)
	}
	return s, nil
}

// allow says why a URL may not be called, or nil.
func (s *Services) allow(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refusef("%s is neither http nor https", u.Scheme)
	case u.User != nil:
		return refusef("a URL with a user in it is not called")
	case dotted(u.Path):
		return refusef("the path has . or .. in it")
	}
	for _, p := range s.prefixes {
		if p.Scheme == u.Scheme && authority(p) == authority(u) && below(u.Path, p.Path) {
			return nil
		}
	}
	return refusef("the service is not among those that policies may call: --allowed-service-url allows it")
}

// authority is host and port, in one spelling.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port)
}

// below says whether a path is another, or below it.
func below(asked, allowed string) bool {
	allowed = strings.TrimSuffix(allowed, "/")
	if allowed == "" {
		return true
	}
	asked = path.Clean("/" + asked)
	return asked == allowed || strings.HasPrefix(asked, allowed+"/")
}

// literals are the loopback addresses that are allowed, as IP:port.
func (s *Services) literals() map[string]bool {
	out := map[string]bool{}
	for _, p := range s.prefixes {
		if address, err := netip.ParseAddr(p.Hostname()); err == nil && unreachable(address) == loopback {
			out[net.JoinHostPort(p.Hostname(), p.Port())] = true
		}
	}
	return out
}
