package lookup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// connectTimeout bounds one attempt to connect, so that a host with several addresses gets more than one of them
// within a look-up.
const connectTimeout = 5 * time.Second

// loopback is why an address is not reached that the operator can allow nonetheless.
const loopback = "a loopback address"

// guard makes connections to services and registries, and to no address that is about the machine or the cloud that
// we run on. It looks at the address that is connected to, after all names are resolved: neither a name, nor one that
// changes its meaning, nor a redirect gets around it.
type guard struct {
	resolver *net.Resolver
	// literal are the loopback addresses (IP:port) that the operator has named. They count only where a URL names
	// them, and not where a name leads there.
	literal map[string]bool
}

// DialContext connects to host:port.
func (g *guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, Resolver: g.resolver}
	if !g.literal[address] {
		dialer.Control = refuseAddress
	}
	connection, err := dialer.DialContext(ctx, network, address)
	return connection, withoutAddress(err)
}

// withoutAddress leaves out of an error which address a name led to: it is shown to whoever made a request, for whom
// it would resolve names.
func withoutAddress(err error) error {
	var refused labeled
	if errors.As(err, &refused) {
		return refused
	}
	var op *net.OpError
	if errors.As(err, &op) {
		bare := *op
		bare.Addr, bare.Source = nil, nil
		return &bare
	}
	return err
}

// refuseAddress is called with each address before it is connected to.
func refuseAddress(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	if reason := unreachable(at.Addr()); reason != "" {
		return refusef("the host is at %s, which look-ups do not reach", reason)
	}
	return nil
}

// metadataAddresses are where clouds tell a machine its credentials, apart from 169.254.0.0/16 and fe80::/10: Amazon
// over IPv6, Alibaba, Azure's host, Oracle.
func metadataAddresses() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"),
		netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("192.0.0.192"),
	}
}

// unreachable says what an address is that no look-up may reach, or "".
func unreachable(address netip.Addr) string {
	address = address.WithZone("").Unmap()
	switch {
	case address.IsLoopback():
		return loopback
	case address.IsLinkLocalUnicast(), address.IsLinkLocalMulticast(), address.IsInterfaceLocalMulticast():
		return "a link-local address"
	case address.IsMulticast():
		return "a multicast address"
	case !address.IsValid() || address.IsUnspecified() || inZero(address):
		return "an unspecified address"
	case slices.Contains(metadataAddresses(), address):
		return "a metadata address"
	}
	if inner, ok := embedded(address); ok {
		if reason := unreachable(inner); reason != "" {
			return reason
		}
	}
	return ""
}

// inZero: 0.0.0.0/8 is this host.
func inZero(address netip.Addr) bool { return address.Is4() && address.As4()[0] == 0 }

// embedded is the IPv4 address that a gateway would take out of an IPv6 one: NAT64 (RFC 6052, 8215), 6to4 (RFC 3056),
// Teredo's server is none; IPv4-compatible (RFC 4291).
func embedded(address netip.Addr) (netip.Addr, bool) {
	if !address.Is6() {
		return netip.Addr{}, false
	}
	b := address.As16()
	at := func(i int) (netip.Addr, bool) { return netip.AddrFrom4([4]byte(b[i : i+4])), true }
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(address), netip.MustParsePrefix("64:ff9b:1::/48").Contains(address):
		return at(12)
	case netip.MustParsePrefix("2002::/16").Contains(address):
		return at(2)
	case netip.MustParsePrefix("::/96").Contains(address):
		return at(12)
	}
	return netip.Addr{}, false
}
