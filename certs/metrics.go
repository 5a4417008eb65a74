package certs

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// expiry shows, when it is scraped, how long what is served lasts.
type expiry struct {
	current *current
	desc    *prometheus.Desc
}

func registerExpiry(reg prometheus.Registerer, c *current) error {
	if reg == nil {
		return nil
	}
	e := &expiry{current: c, desc: prometheus.NewDesc("holdfast_certificate_expiry_seconds",
		"Seconds until the webhook's certificate (leaf) and the CA that signed it expire; below 0 when they have.",
		[]string{"certificate"}, nil)}
	if err := reg.Register(e); err != nil {
		return fmt.Errorf("registering the certificate metrics: %w", err)
	}
	return nil
}

// Describe tells of the one metric.
func (e *expiry) Describe(ch chan<- *prometheus.Desc) { ch <- e.desc }

// Collect gives nothing as long as there is no certificate.
func (e *expiry) Collect(ch chan<- prometheus.Metric) {
	s := e.current.value.Load()
	if s == nil {
		return
	}
	show := func(which string, end time.Time) {
		ch <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, time.Until(end).Seconds(), which)
	}
	show("leaf", s.leaf.Leaf.NotAfter)
	for _, ca := range s.cas {
		if s.leaf.Leaf.CheckSignatureFrom(ca) == nil {
			show("ca", ca.NotAfter)
			return
		}
	}
}
