package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// signed makes a certificate; by nil it signs itself, as a CA.
func signed(t *testing.T, name string, by *tls.Certificate, usages ...x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: usages,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: by == nil,
	}
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestOnlyCallersWithACertificateAreAnswered(t *testing.T) {
	ca, other := signed(t, "ca", nil), signed(t, "other", nil)
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	apiServer := signed(t, "apiserver", &ca, x509.ExtKeyUsageClientAuth)
	for name, test := range map[string]struct {
		names []string
		shown *tls.Certificate
		want  string // what the answer begins with
	}{
		"the API server":                     {nil, &apiServer, "answered"},
		"the API server by its name":         {[]string{"apiserver"}, &apiServer, "answered"},
		"somebody else of the CA":            {[]string{"another"}, &apiServer, `the client certificate is for "apiserver": expected one of ["another"]`},
		"nobody":                             {nil, nil, "expected a client certificate"},
		"a certificate of another CA":        {nil, new(signed(t, "apiserver", &other, x509.ExtKeyUsageClientAuth)), "the client certificate is not trusted: x509: certificate signed by unknown authority"},
		"a certificate for servers":          {nil, new(signed(t, "apiserver", &ca, x509.ExtKeyUsageServerAuth)), "the client certificate is not trusted: x509: certificate specifies an incompatible key usage"},
		"a certificate that signs by itself": {nil, &other, "the client certificate is not trusted: x509: certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := newCallers(file, test.names)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(c.only(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answered") })))
			server.TLS = asksForCertificates(&tls.Config{MinVersion: tls.VersionTLS12})
			server.StartTLS()
			defer server.Close()
			client := server.Client()
			if test.shown != nil {
				transport, ok := client.Transport.(*http.Transport)
				if !ok {
					t.Fatalf("the client has a %T", client.Transport)
				}
				// A server names the CAs that it asks for, or none; the client shows what it has.
				transport.TLSClientConfig.Certificates = []tls.Certificate{*test.shown}
			}
			for range 2 { // the second is known, if the first was good
				resp, err := client.Get(server.URL)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || !strings.HasPrefix(string(text), test.want) {
					t.Errorf("answered %q, %v: want %q", text, err, test.want)
				}
			}
		})
	}
}

func TestACertificateThatHasEndedIsNotKnownAnyMore(t *testing.T) {
	ca := signed(t, "ca", nil)
	c := &callers{roots: x509.NewCertPool(), known: map[*x509.Certificate]struct{}{}}
	c.roots.AddCert(ca.Leaf)
	shown := signed(t, "apiserver", &ca, x509.ExtKeyUsageClientAuth)
	r := &http.Request{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown.Leaf}}}
	if err := c.admits(r, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := c.admits(r, time.Now().Add(2*time.Hour)); err == nil {
		t.Error("it is let in after its end")
	}
}

func TestAFileOfCallersThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:          "--client-ca-file: " + file + " has no certificate",
		file + ".not": "--client-ca-file: open " + file + ".not: no such file or directory",
	} {
		if _, err := newCallers(path, nil); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
