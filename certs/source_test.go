package certs

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestOnlyModernTLSIsSpoken(t *testing.T) {
	r := newTestRotator(t, (&memory{}).view(), Lifetimes{}, nil)
	if _, err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client *tls.Config
		fails  bool
	}{
		"TLS 1.3":                     {&tls.Config{MinVersion: tls.VersionTLS13}, false},
		"TLS 1.2 with AES-GCM":        {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, false},
		"TLS 1.2 with ChaCha20":       {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}}, false},
		"TLS 1.2 with CBC is refused": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, true},
		"TLS 1.1 is refused":          {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.client.InsecureSkipVerify = true // this is about the protocol
			if err := connect(r.TLSConfig(), c.client); (err != nil) != c.fails {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWithoutACertificateAHandshakeFails(t *testing.T) {
	r := newTestRotator(t, (&memory{}).view(), Lifetimes{}, nil)
	if _, err := r.TLSConfig().GetCertificate(nil); err == nil || err.Error() != "there is no certificate yet" {
		t.Errorf("got %v", err)
	}
	select {
	case <-r.Ready():
		t.Error("ready without a certificate")
	default:
	}
}

func TestACertificateIsForItsNamesOnly(t *testing.T) {
	r := newTestRotator(t, (&memory{}).view(), Lifetimes{}, nil)
	if _, err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{host, "127.0.0.1"} {
		if err := handshake(r.TLSConfig(), r.CABundle(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := handshake(r.TLSConfig(), r.CABundle(), "elsewhere.svc"); err == nil {
		t.Error("it is good for another host too")
	}
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	for want, f := range map[string]func() error{
		"certificate options: Client is missing": func() error { _, err := NewSecret(SecretOptions{}); return err },
		"certificate options: Dir is missing":    func() error { _, err := NewFiles(FilesOptions{}); return err },
		"certificate options: Names is empty or holds an empty name: expected host names and IP addresses": func() error {
			_, err := NewFiles(FilesOptions{Dir: "x"})
			return err
		},
		"certificate options: Lifetimes: lifetimes are positive": func() error {
			_, err := NewFiles(FilesOptions{Dir: "x", Names: []string{host}, Lifetimes: Lifetimes{CA: -1}})
			return err
		},
		"certificate options: Overlap is -1ns: expected a positive time, or 0 for the default": func() error {
			_, err := NewDirectory(DirectoryOptions{Dir: "x", Overlap: -1})
			return err
		},
	} {
		if err := f(); err == nil || err.Error() != want {
			t.Errorf("got %v, expected %s", err, want)
		}
	}
}

func TestExpiryIsShown(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	r, err := newRotator((&memory{}).view(), rotatorOptions{names: []string{host}, metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	seen := func() map[string]float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				out[f.GetName()+"/"+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
		return out
	}
	if got := seen(); len(got) != 0 {
		t.Errorf("without a certificate: %v", got)
	}
	if _, err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := seen()
	near := func(name string, want float64) {
		if v := got[name]; v > want || v < want-60 {
			t.Errorf("%s is %v, expected %v", name, v, want)
		}
	}
	near("holdfast_certificate_expiry_seconds/leaf", defaultLeaf.Seconds())
	near("holdfast_certificate_expiry_seconds/ca", defaultCA.Seconds())
	if _, err := newRotator((&memory{}).view(), rotatorOptions{names: []string{host}, metrics: reg}); err == nil ||
		!strings.HasPrefix(err.Error(), "registering the certificate metrics: ") {
		t.Errorf("a second registration: %v", err)
	}
}
