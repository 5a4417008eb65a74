package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"testing"
	"time"
)

func parseCert(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(data)
	if block == nil || len(rest) != 0 {
		t.Fatalf("not one PEM block: %q", data)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificatesSayWhoTheyAreFor(t *testing.T) {
	now := time.Now()
	ca, err := newAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)

	client, err := ca.client(now, "jane", []string{"devs", "ops"})
	if err != nil {
		t.Fatal(err)
	}
	cert := parseCert(t, client.cert)
	groups := slices.Sorted(slices.Values(cert.Subject.Organization)) // X.509 keeps them as a set
	if cert.Subject.CommonName != "jane" || !slices.Equal(groups, []string{"devs", "ops"}) {
		t.Errorf("client certificate is for %s", cert.Subject)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("client certificate: %v", err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("client certificate can be used by a server")
	}
	if _, err := tls.X509KeyPair(client.cert, client.key); err != nil {
		t.Errorf("client key: %v", err)
	}

	server, err := ca.server(now, "srv", []string{"kubernetes"}, []net.IP{net.ParseIP(serviceIP)})
	if err != nil {
		t.Fatal(err)
	}
	cert = parseCert(t, server.cert)
	for _, name := range []string{"127.0.0.1", "localhost", "kubernetes", serviceIP} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("server certificate for %s: %v", name, err)
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "example.com"}); err == nil {
		t.Error("server certificate holds for any name")
	}
}

func TestCertificatesOfOneAuthorityAreNothingToAnother(t *testing.T) {
	now := time.Now()
	one, err := newAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := one.client(now, adminUser, []string{adminGroup})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(other.cert)
	_, err = parseCert(t, pair.cert).Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err == nil {
		t.Error("a certificate of one authority verifies under another")
	}
}
