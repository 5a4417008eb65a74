package scenarios

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// crowded are two policies that refuse the same of two kinds, and differ in what is to happen where they cannot be asked.
const crowded = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: strict
spec:
  failurePolicy: Fail
  rules:
    - name: owner
      match:
        any:
          - resources:
              kinds: [ConfigMap]
              names: ["strict-*"]
      validate:
        failureAction: Enforce
        message: Somebody has to own it.
        pattern:
          metadata:
            labels:
              owner: "?*"
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: loose
spec:
  failurePolicy: Ignore
  rules:
    - name: owner
      match:
        any:
          - resources:
              kinds: [Secret]
              names: ["loose-*"]
      validate:
        failureAction: Enforce
        message: Somebody has to own it.
        pattern:
          metadata:
            labels:
              owner: "?*"
`

// try creates what the policy named first in its name is about, with an owner or without, and keeps nothing of it. It asks once:
// a client tries again for ten seconds where it is told to come again later.
func (c *cluster) try(ctx context.Context, name, owner string) error {
	meta := metav1.ObjectMeta{Name: name}
	if owner != "" {
		meta.Labels = map[string]string{"owner": owner}
	}
	var object runtime.Object = &corev1.ConfigMap{ObjectMeta: meta}
	resource := "configmaps"
	if strings.HasPrefix(name, "loose-") {
		object, resource = &corev1.Secret{ObjectMeta: meta}, "secrets"
	}
	return c.kube.CoreV1().RESTClient().Post().Namespace("default").Resource(resource).Param("dryRun", metav1.DryRunAll).
		Body(object).MaxRetries(0).Do(ctx).Error()
}

// judges waits until both policies are asked about, and refuse.
func (c *cluster) judges(t *testing.T, policies ...string) {
	t.Helper()
	for _, policy := range policies {
		eventually(t, "policy "+policy+" to refuse", func(ctx context.Context) string {
			if err := c.try(ctx, policy+"-x", ""); err == nil || !strings.Contains(err.Error(), "Somebody has to own it") {
				return fmt.Sprintf("got %v", err)
			}
			return ""
		})
	}
}

// inHand is how many reviews the webhook takes at a time.
const inHand = 256

// occupy opens connections on each of which a review begins and does not go on.
func occupy(t *testing.T, o *serving.Options, n int) (release func()) {
	t.Helper()
	var held []net.Conn
	release = func() {
		for _, c := range held {
			_ = c.Close() // nothing was to be read from it
		}
		held = nil
	}
	t.Cleanup(func() { release() })
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it says nothing, and believes nothing
	for range n {
		conn, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", o.Port))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
		if _, err := fmt.Fprint(conn, "POST /validate HTTP/1.1\r\nHost: holdfast\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	return release
}

// Under more reviews than it takes, the webhook answers at once by the failurePolicy, never with a verdict that it has not
// come to, and counts it; and when they are fewer again, it judges as before.
func TestAnOverloadedWebhookShedsByFailurePolicy(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", crowded))
	p := c.serve(t, o)
	c.judges(t, "strict", "loose")
	eventually(t, "the audit to be at work, which has goroutines of its own", shows(&o, `holdfast_audit_stale{resource="configmaps.v1"} 0`))
	before := goroutines(t, &o)

	// A review that does not go on is given up after 30 s, which a busy machine may take to begin as many: then what is
	// judged must be judged rightly, and all is occupied again.
	shed := map[string]int{}
	release := func() {}
	for round := 0; round < 10 && (shed["strict"] < 6 || shed["loose"] < 3); round++ {
		release()
		eventually(t, "the places to be free", shows(&o, "holdfast_admission_in_flight 0"))
		release = occupy(t, &o, inHand)
		full := time.Now().Add(10 * time.Second)
		for n := 0.0; n < inHand && time.Now().Before(full); { // what is sent has to be taken up yet
			var err error
			if n, err = metric(t.Context(), &o, "holdfast_admission_in_flight"); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			for _, owner := range []string{"", "me"} {
				err := c.try(t.Context(), fmt.Sprint("strict-", i), owner)
				switch {
				case err != nil && strings.Contains(err.Error(), "holdfast did not evaluate this request: too many are in hand; try again after a second"):
					shed["strict"]++
				case owner == "" && (err == nil || !strings.Contains(err.Error(), "Somebody has to own it")), owner != "" && err != nil:
					t.Errorf("a write by %q that must not pass unexamined: %v", owner, err)
				}
			}
			switch err := c.try(t.Context(), fmt.Sprint("loose-", i), ""); {
			case err == nil:
				shed["loose"]++
			case !strings.Contains(err.Error(), "Somebody has to own it"):
				t.Errorf("a write that may pass unexamined: %v", err)
			}
		}
	}
	t.Logf("shed: %v", shed)
	for policy, atLeast := range map[string]float64{"Fail": 6, "Ignore": 3} {
		n, err := metric(t.Context(), &o, fmt.Sprintf("holdfast_admission_shed_total{failure_policy=%q,webhook=\"validate\"}", policy))
		if err != nil || n < atLeast {
			t.Errorf("%v reviews are counted as shed by failurePolicy %s, %v: want %v or more", n, policy, err, atLeast)
		}
	}
	release()
	eventually(t, "the places to be free", shows(&o, "holdfast_admission_in_flight 0"))

	release = occupy(t, &o, inHand-2)
	var crowd sync.WaitGroup
	for worker := range 16 {
		crowd.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("strict-%d-%d", worker, i)
				if err := c.try(t.Context(), name, ""); err == nil {
					t.Errorf("%s was let pass", name)
				}
				if err := c.try(t.Context(), name, "me"); err != nil && !strings.Contains(err.Error(), "too many are in hand") {
					t.Errorf("%s, which has an owner: %v", name, err)
				}
			}
		})
	}
	crowd.Wait()
	release()
	eventually(t, "the places to be free again", shows(&o, "holdfast_admission_in_flight 0"))
	c.judges(t, "strict", "loose")
	for _, name := range []string{"strict-y", "loose-y"} {
		if err := c.try(t.Context(), name, "me"); err != nil {
			t.Errorf("%s, which has an owner: %v", name, err)
		}
	}
	leakless(t, &o, before)
	stop(t, p)
}

// authority issues certificates of one CA into a folder, as cert-manager does.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rotated"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write(t, "ca.crt", "CERTIFICATE", der)
	return a
}

// issue puts another certificate and its key into the folder.
func (a *authority) issue(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "holdfast"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, "tls.key", "PRIVATE KEY", raw)
	a.write(t, "tls.crt", "CERTIFICATE", der) // a pair that does not fit is not served
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// shake makes a handshake as an API server does, and gives the serial number of the certificate.
func (a *authority) shake(ctx context.Context, port int) (int64, error) {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0, fmt.Errorf("shake hands: %w", err)
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// While the webhook's certificate is replaced, again and again, no write fails, and no handshake.
func TestNoRequestFailsWhileTheCertificateIsRotated(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := newAuthority(t)
	a.issue(t, 2)
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", crowded))
	o.Args = append(o.Args, "--cert-dir", a.dir)
	p := c.serve(t, o)
	c.judges(t, "strict")
	eventually(t, "the audit to be at work, which has goroutines of its own", shows(&o, `holdfast_audit_stale{resource="configmaps.v1"} 0`))
	before := goroutines(t, &o)

	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var writes, shakes atomic.Int64
	for worker := range 4 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("strict-%d-%d", worker, i)
				if err := c.try(ctx, name, "me"); err != nil && ctx.Err() == nil {
					t.Errorf("%s, which has an owner: %v", name, err)
				}
				writes.Add(1)
			}
		})
	}
	load.Go(func() {
		for ctx.Err() == nil {
			if _, err := a.shake(ctx, o.Port); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			shakes.Add(1)
		}
	})
	for serial := int64(3); serial < 8; serial++ {
		until := writes.Load() + 20
		eventually(t, "some writes", func(context.Context) string {
			if n := writes.Load(); n < until {
				return fmt.Sprintf("%d of %d", n, until)
			}
			return ""
		})
		a.issue(t, serial)
		eventually(t, fmt.Sprintf("certificate %d to be served", serial), func(ctx context.Context) string {
			if got, err := a.shake(ctx, o.Port); err != nil || got != serial {
				return fmt.Sprintf("it is certificate %d, %v", got, err)
			}
			return ""
		})
	}
	cancel()
	load.Wait()
	t.Logf("%d writes and %d handshakes while the certificate was replaced five times", writes.Load(), shakes.Load())
	c.judges(t, "strict")
	leakless(t, &o, before)
	stop(t, p)
}
