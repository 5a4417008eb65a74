package controlplane

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The administrator: Kubernetes grants everything to the group, without a role that RBAC could take away.
const (
	adminUser  = "admin"
	adminGroup = "system:masters"
)

// identity is who a client is to kube-apiserver.
type identity struct {
	user   string
	groups []string
}

// ClientCert issues a client certificate, PEM, by which kube-apiserver knows its bearer as that user in those groups.
// Any name goes: "system:serviceaccount:NAMESPACE:NAME" with the groups "system:serviceaccounts" and
// "system:serviceaccounts:NAMESPACE" acts with that service account's rights.
func (cp *ControlPlane) ClientCert(user string, groups ...string) (cert, key []byte, err error) {
	pair, err := cp.site.authority.client(time.Now(), user, groups)
	return pair.cert, pair.key, err
}

// RESTConfigFor gives a client configuration with a certificate of that user. It has no client-side rate limit: the
// server's own priority and fairness governs, as it does for everybody.
func (cp *ControlPlane) RESTConfigFor(user string, groups ...string) (*rest.Config, error) {
	cert, key, err := cp.ClientCert(user, groups...)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:            cp.site.apiURL(),
		TLSClientConfig: rest.TLSClientConfig{CAData: cp.site.authority.certPEM, CertData: cert, KeyData: key},
		QPS:             -1,
	}, nil
}

// KubeconfigFor gives a kubeconfig, YAML with everything embedded, with a certificate of that user.
func (cp *ControlPlane) KubeconfigFor(user string, groups ...string) ([]byte, error) {
	return cp.site.kubeconfig(time.Now(), identity{user: user, groups: groups})
}

// CA gives the certificate, PEM, that signs all others of this control plane.
func (cp *ControlPlane) CA() []byte { return cp.site.authority.certPEM }

func (s *site) kubeconfig(now time.Time, who identity) ([]byte, error) {
	pair, err := s.authority.client(now, who.user, who.groups)
	if err != nil {
		return nil, err
	}
	const name = "holdfast-e2e"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: s.apiURL(), CertificateAuthorityData: s.authority.certPEM}
	config.AuthInfos[who.user] = &clientcmdapi.AuthInfo{ClientCertificateData: pair.cert, ClientKeyData: pair.key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: who.user, Namespace: "default"}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write a kubeconfig for %s: %w", who.user, err)
	}
	return data, nil
}
