package jmesfn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

func certificate(t *testing.T, names []string, public, signer any) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		Subject:      pkix.Name{CommonName: "svc.example.com", Organization: []string{"Example"}},
		NotBefore:    time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2034, 1, 1, 0, 0, 0, 0, time.UTC),
		DNSNames:     names,
		IPAddresses:  []net.IP{net.IPv4(10, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestDecodeCertificate(t *testing.T) {
	key := rsaKey(t)
	text := certificate(t, []string{"svc.example.com", "svc"}, &key.PublicKey, key)
	for expr, want := range map[string]any{
		"x509_decode(@).Subject.CommonName":                               "svc.example.com",
		"x509_decode(@).Subject.Organization[0]":                          "Example",
		"x509_decode(@).DNSNames[1]":                                      "svc",
		"x509_decode(@).IPAddresses[0]":                                   "10.0.0.1",
		"x509_decode(@).NotAfter":                                         "2034-01-01T00:00:00Z",
		"x509_decode(@).SerialNumber":                                     7.0,
		"x509_decode(@).PublicKey.N":                                      key.N.String(),
		"x509_decode(@).PublicKey.E":                                      65537.0,
		"x509_decode(base64_decode(base64_encode(@))).Issuer.CommonName":  "svc.example.com",
		"time_before(x509_decode(@).NotBefore, x509_decode(@).NotAfter)":  true,
		"length(x509_decode(@).Raw) > `100`":                              true,
		"x509_decode(join('', [@, 'a second block is ignored'])).Version": 3.0,
	} {
		got, err := search(t, expr, text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", expr, got, err, want)
		}
	}
}

func TestDecodeCertificateRequest(t *testing.T) {
	key := rsaKey(t)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "system:node:a"}, DNSNames: []string{"a"},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	for expr, want := range map[string]any{
		"x509_decode(@).Subject.CommonName": "system:node:a",
		"x509_decode(@).DNSNames[0]":        "a",
		"x509_decode(@).PublicKey.N":        key.N.String(),
	} {
		got, err := search(t, expr, text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", expr, got, err, want)
		}
	}
}

func TestDecodeCertificateRefusesOtherKeys(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, err = search(t, "x509_decode(@)", certificate(t, nil, &key.PublicKey, key))
	if want := "function x509_decode: argument 1 holds a key that is not RSA, which is the only kind decoded"; errorText(err) != want {
		t.Errorf("got %q, want %q", errorText(err), want)
	}
}

func TestDecodeCertificateRefusesLargeOnes(t *testing.T) {
	key := rsaKey(t)
	names := make([]string, 0, 1000)
	for range cap(names) {
		names = append(names, strings.Repeat("a", 60)+".example.com")
	}
	_, err := search(t, "x509_decode(@)", certificate(t, names, &key.PublicKey, key))
	if want := "function x509_decode: argument 1 holds a certificate of more than 65536 bytes: too large"; errorText(err) != want {
		t.Errorf("got %q, want %q", errorText(err), want)
	}
	if !errors.Is(err, ErrTooLarge) {
		t.Error("the error does not wrap ErrTooLarge")
	}
}
