package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// awaitReady waits until the component works, or has ended, or ctx is done.
func (cp *ControlPlane) awaitReady(ctx context.Context, ch *child) error {
	// The end of the child ends the wait at once.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-ch.ended:
			cancel(errEnded)
		case <-ctx.Done():
		}
	}()
	start := time.Now()
	var last error
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		last = cp.probe(ctx, ch.component)
		return last == nil, nil
	})
	switch {
	case err == nil:
		cp.progress.say("%s ready in %s", ch.component, since(start))
		return nil
	case errors.Is(context.Cause(ctx), errEnded):
		return fmt.Errorf("wait for %s to be ready: %w", ch.component, ch.obituary())
	default:
		return fmt.Errorf("wait for %s to be ready: %w\n%s", ch.component, withAnswer(context.Cause(ctx), last), ch.lastWords())
	}
}

// probe asks the component once whether it works.
func (cp *ControlPlane) probe(ctx context.Context, c Component) error {
	switch c {
	case Etcd:
		return cp.get(ctx, "https://"+loopback(cp.site.ports[portEtcd])+"/readyz")
	case APIServer:
		if err := cp.get(ctx, cp.site.apiURL()+"/readyz"); err != nil {
			return err
		}
		// Readiness does not wait for the first namespaces.
		_, err := cp.client.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		return err
	case ControllerManager:
		if err := cp.get(ctx, "https://"+loopback(cp.site.ports[string(c)])+"/healthz"); err != nil {
			return err
		}
		// It is healthy before its controllers work. This is the first of their products that pods depend on.
		_, err := cp.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	case Scheduler:
		return cp.get(ctx, "https://"+loopback(cp.site.ports[string(c)])+"/readyz")
	default:
		return cp.get(ctx, "http://"+loopback(cp.site.ports[string(c)])+"/readyz")
	}
}

// get is content with the status 200.
func (cp *ControlPlane) get(ctx context.Context, url string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := cp.prober.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", url, response.Status, tail(body))
	}
	return nil
}

// newProber gives the HTTP client for probes: the administrator, over a new connection for each probe, so that none is
// left open when the control plane stops.
func newProber(a *authority, now time.Time) (*http.Client, error) {
	pair, err := a.client(now, adminUser, []string{adminGroup})
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.cert, pair.key)
	if err != nil {
		return nil, fmt.Errorf("load the probe's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	}}, nil
}
