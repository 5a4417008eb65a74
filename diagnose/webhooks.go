package diagnose

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ownWebhooks finds the configurations that the program keeps.
const ownWebhooks = "app.kubernetes.io/managed-by=holdfast"

// expiresSoon is when the expiry of a CA is worth a word: serve renews one long before.
const expiresSoon = 7 * 24 * time.Hour

// webhooks has our configurations and the names of all others, and tells where ours lead nowhere.
func (a *Archive) webhooks(ctx context.Context, opts Options) {
	api := opts.Client.AdmissionregistrationV1()
	validating, err := api.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		a.Missed("the validating webhook configurations", err)
		return
	}
	mutating, err := api.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		a.Missed("the mutating webhook configurations", err)
		return
	}
	var all []configuration
	for i := range validating.Items {
		c := &validating.Items[i]
		doors := make([]door, len(c.Webhooks))
		for j := range c.Webhooks {
			w := &c.Webhooks[j]
			doors[j] = door{c.Name, w.Name, &w.ClientConfig, w.FailurePolicy}
		}
		all = append(all, configuration{"validating", &c.ObjectMeta, doors, c})
	}
	for i := range mutating.Items {
		c := &mutating.Items[i]
		doors := make([]door, len(c.Webhooks))
		for j := range c.Webhooks {
			w := &c.Webhooks[j]
			doors[j] = door{c.Name, w.Name, &w.ClientConfig, w.FailurePolicy}
		}
		all = append(all, configuration{"mutating", &c.ObjectMeta, doors, c})
	}
	var others []string
	for _, c := range all {
		if !own(c.meta.Labels) {
			others = append(others, c.kind+" "+c.meta.Name)
			continue
		}
		tidy(c.meta)
		for _, d := range c.doors {
			a.door(ctx, opts, d)
			d.client.CABundle = nil // authorities.txt says which it is
		}
		a.addYAML("webhooks/"+c.kind+"-"+c.meta.Name+".yaml", c.object)
	}
	if len(others) == len(all) {
		a.Found("the cluster has no webhook configuration of holdfast: no write is judged at admission (runbook registration.md)")
	}
	slices.Sort(others)
	a.Add("webhooks/others.txt", []byte(strings.Join(others, "\n")+"\n"))
}

func own(labels map[string]string) bool {
	key, value, _ := strings.Cut(ownWebhooks, "=")
	return labels[key] == value
}

// configuration is one of either kind.
type configuration struct {
	kind   string // validating or mutating
	meta   *metav1.ObjectMeta
	doors  []door
	object any
}

// door is an entry of a configuration.
type door struct {
	configuration, name string
	client              *admissionv1.WebhookClientConfig
	onFailure           *admissionv1.FailurePolicyType
}

// consequence says what a door that leads nowhere does to writes.
func (d *door) consequence() string {
	if d.onFailure != nil && *d.onFailure == admissionv1.Ignore {
		return "writes pass unjudged"
	}
	return "the writes that it is about are refused (runbook webhook-down.md)"
}

// door tells what is wrong with where an entry leads.
func (a *Archive) door(ctx context.Context, opts Options, d door) {
	a.authority(opts, &d)
	s := d.client.Service
	if s == nil {
		return
	}
	_, err := opts.Client.CoreV1().Services(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		a.Found("webhook configuration %s leads to Service %s/%s, which does not exist: %s", d.configuration, s.Namespace, s.Name, d.consequence())
		return
	case err != nil:
		a.Missed("Service "+s.Namespace+"/"+s.Name, err)
		return
	}
	slices, err := opts.Client.DiscoveryV1().EndpointSlices(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + s.Name})
	if err != nil {
		a.Missed("the endpoints of Service "+s.Namespace+"/"+s.Name, err)
		return
	}
	for i := range slices.Items {
		for _, e := range slices.Items[i].Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				return
			}
		}
	}
	a.Found("webhook configuration %s leads to Service %s/%s, behind which nobody is ready: %s", d.configuration, s.Namespace, s.Name, d.consequence())
}

// authority tells of a CA that is none, or that expires, and notes which it is. It is no secret.
func (a *Archive) authority(opts Options, d *door) {
	file := "webhooks/authorities.txt"
	rest := d.client.CABundle
	known := string(a.File(file))
	found := 0
	var last time.Time
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		found++
		if cert.NotAfter.After(last) {
			last = cert.NotAfter
		}
		sum := sha256.Sum256(cert.Raw)
		line := fmt.Sprintf("%s: %s, valid from %s to %s, sha256 %s\n", d.configuration, cert.Subject,
			cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339), hex.EncodeToString(sum[:]))
		if !strings.Contains(known, line) {
			known += line
		}
	}
	a.Add(file, []byte(known))
	switch left := last.Sub(opts.Now); {
	case found == 0:
		a.Found("webhook configuration %s has no CA by which the API server could trust the program: %s", d.configuration, d.consequence())
	case left <= 0:
		a.Found("the CA of webhook configuration %s expired at %s: %s (runbook certificates.md)", d.configuration, last.UTC().Format(time.RFC3339), d.consequence())
	case left < expiresSoon:
		a.Found("the CA of webhook configuration %s expires at %s, and has not been renewed (runbook certificates.md)", d.configuration, last.UTC().Format(time.RFC3339))
	}
}
