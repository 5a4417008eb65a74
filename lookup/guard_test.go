package lookup

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestAddressesThatAreNotReached(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1": loopback, "127.255.0.9": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback, "::127.0.0.1": loopback,
		"169.254.169.254": "a link-local address", "169.254.0.1": "a link-local address", "fe80::1": "a link-local address", "fe80::1%eth0": "a link-local address",
		"::ffff:169.254.169.254": "a link-local address", "64:ff9b::169.254.169.254": "a link-local address", "64:ff9b:1::a9fe:a9fe": "a link-local address",
		"2002:a9fe:a9fe::1": "a link-local address", "2002:7f00:1::": loopback, "ff02::1": "a link-local address",
		"224.0.0.1": "a link-local address", "239.1.1.1": "a multicast address", "ff0e::1": "a multicast address",
		"0.0.0.0": "an unspecified address", "0.1.2.3": "an unspecified address", "::": "an unspecified address", "::ffff:0.0.0.0": "an unspecified address",
		"fd00:ec2::254": "a metadata address", "100.100.100.200": "a metadata address", "168.63.129.16": "a metadata address", "192.0.0.192": "a metadata address",
		"10.0.0.1": "", "10.96.0.10": "", "172.16.3.4": "", "192.168.1.1": "", "100.64.0.1": "", "fd00::1": "", "8.8.8.8": "", "2001:db8::1": "", "64:ff9b::808:808": "",
	} {
		if got := unreachable(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

// However an IPv4 address is wrapped, what may not be reached may not be reached so.
func TestNoWayToWriteAnAddressGetsAroundTheGuard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v4 := rapid.SampledFrom([][4]byte{{127, 0, 0, 1}, {169, 254, 169, 254}, {0, 0, 0, 0}, {100, 100, 100, 200}}).Draw(t, "inner")
		if v4[0] == 127 || v4[0] == 169 {
			v4[3] = rapid.Byte().Draw(t, "last")
		}
		var b [16]byte
		prefix := rapid.SampledFrom([][]byte{{}, {10: 0xff, 11: 0xff}, {0x00, 0x64, 0xff, 0x9b, 11: 0}, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01, 11: 0}}).Draw(t, "prefix")
		copy(b[:], prefix)
		copy(b[12:], v4[:])
		if address := netip.AddrFrom16(b); unreachable(address) == "" {
			t.Errorf("%s is reached", address)
		}
	})
}
