package jmesfn

import (
	"net/netip"
	"net/url"
	"strings"
)

// urlFunctions work on URLs.
var urlFunctions = []function{
	{Spec: Spec{
		Name: "is_external_url", Args: []Arg{arg("url", String)}, Returns: Boolean,
		Doc: "Tells whether the host of a URL is outside: an IP address that is neither loopback nor private. localhost is inside. " +
			"Any other name is an error, since a policy makes no DNS look-ups.",
		Examples: []Example{{Expr: "is_external_url('https://8.8.8.8/x')", Result: "true"}, {Expr: "is_external_url('http://10.0.0.1')", Result: "false"}},
	}, impl: isExternalURL},
}

func isExternalURL(c *call) (any, error) {
	parsed, err := url.Parse(c.string(0))
	if err != nil {
		return nil, c.argument(0, "is no valid URL")
	}
	host := parsed.Hostname()
	if host == "" {
		return nil, c.argument(0, "is a URL without a host")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return !ip.IsLoopback() && !ip.IsPrivate(), nil
	}
	// RFC 6761, section 6.3: localhost and what is under it are loopback.
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return false, nil
	}
	return nil, c.argument(0, "names a host that only a DNS look-up could place, and policies make none")
}
