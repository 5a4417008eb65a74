package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/certs"
)

// inquirer is what a replica that audits and does not admit asks by who wrote what: the certificate that those who admit know
// each other by, and where they are. A nil one asks nobody. Nothing waits for it: until it has a certificate, findings say
// what managedFields tell.
type inquirer struct {
	certificates certs.Source
	neighbours   *neighbours
}

// inquirer makes one for a replica that has no door to ask through, inside of a cluster.
func (o *ServeOptions) inquirer(clients *cluster, seen *writes, streams IO, metrics prometheus.Registerer) (*inquirer, error) {
	if o.Admission || !o.Audit || o.WebhookURL != "" {
		return nil, nil //nolint:nilnil // nothing to ask with
	}
	certificates, err := o.certificates(clients, streams, metrics)
	if err != nil {
		return nil, err
	}
	q := &inquirer{certificates, newNeighbours(clients.kube, o.Namespace, o.Service, streams.Log)}
	seen.peers, err = newPeers(certificates, o.serviceHost(), q.neighbours.addresses, metrics)
	return q, err
}

func (q *inquirer) start(parts *lifecycle) {
	if q == nil {
		return
	}
	parts.start("certificates", q.certificates.Run)
	parts.start("replicas that admit", q.neighbours.run)
}
