package controlplane

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// site is what stands before the first component starts: directory, ports, keys and configuration files.
type site struct {
	dir       string
	options   Options
	authority *authority
	ports     map[string]int
}

// Ports by use; the health ports are those of the components' own /healthz.
const (
	portEtcd     = "etcd"
	portEtcdPeer = "etcd-peer"
	portAPI      = "kube-apiserver"
)

// serviceIP is the address of the Service "kubernetes": the first one of the service range.
const (
	serviceRange = "10.96.0.0/16"
	serviceIP    = "10.96.0.1"
)

// file gives the path of a file of the site.
func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

func (s *site) logPath(c Component) string { return s.file(string(c) + ".log") }

// apiURL is where kube-apiserver listens.
func (s *site) apiURL() string { return "https://" + loopback(s.ports[portAPI]) }

// lay writes all keys, certificates, kubeconfigs and configuration files.
func (s *site) lay(now time.Time) (err error) {
	if s.authority, err = newAuthority(now); err != nil {
		return err
	}
	if err := s.write("ca.crt", s.authority.certPEM); err != nil {
		return err
	}
	if s.options.runs(ControllerManager) {
		// It signs the requests for certificates that somebody approved.
		key, err := encodeKey(s.authority.key)
		if err != nil {
			return err
		}
		if err := s.write("ca.key", key); err != nil {
			return err
		}
	}
	if err := s.layServerCerts(now); err != nil {
		return err
	}
	// Service account tokens are signed by a key of their own: whoever has it can be any service account.
	signer, err := newKey()
	if err != nil {
		return err
	}
	signerPEM, err := encodeKey(signer)
	if err != nil {
		return err
	}
	if err := s.write("service-accounts.key", signerPEM); err != nil {
		return err
	}
	if s.options.AuditPolicy != "" {
		if err := s.write("audit-policy.yaml", []byte(s.options.AuditPolicy)); err != nil {
			return err
		}
	}
	if s.options.runs(Kwok) {
		stages, err := kwokStages()
		if err != nil {
			return err
		}
		if err := s.write("kwok-stages.yaml", stages); err != nil {
			return err
		}
	}
	return s.layKubeconfigs(now)
}

func (s *site) layServerCerts(now time.Time) error {
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	server, err := s.authority.server(now, string(APIServer), names, []net.IP{net.ParseIP(serviceIP)})
	if err != nil {
		return err
	}
	if err := s.writePair(string(APIServer), server); err != nil {
		return err
	}
	for _, name := range []Component{Etcd, ControllerManager, Scheduler} {
		if !s.options.runs(name) {
			continue
		}
		pair, err := s.authority.server(now, string(name), nil, nil)
		if err != nil {
			return err
		}
		if err := s.writePair(string(name), pair); err != nil {
			return err
		}
	}
	client, err := s.authority.client(now, "kube-apiserver-etcd-client", nil)
	if err != nil {
		return err
	}
	if err := s.writePair("etcd-client", client); err != nil {
		return err
	}
	return s.layFrontProxy(now)
}

// frontProxyUser is as whom kube-apiserver calls aggregated APIs.
const frontProxyUser = "front-proxy-client"

// layFrontProxy writes the CA of the front proxy and its one certificate. It has to be another CA than that of the
// users, because who shows its certificate may name any user in a header.
func (s *site) layFrontProxy(now time.Time) error {
	ca, err := newAuthority(now)
	if err != nil {
		return err
	}
	if err := s.write("front-proxy-ca.crt", ca.certPEM); err != nil {
		return err
	}
	pair, err := ca.client(now, frontProxyUser, nil)
	if err != nil {
		return err
	}
	return s.writePair("front-proxy", pair)
}

// layKubeconfigs writes the administrator's kubeconfig and those of the components, which have the user names that
// Kubernetes' own RBAC roles are bound to.
func (s *site) layKubeconfigs(now time.Time) error {
	users := map[string]identity{
		"admin":                   {user: adminUser, groups: []string{adminGroup}},
		string(ControllerManager): {user: "system:kube-controller-manager"},
		string(Scheduler):         {user: "system:kube-scheduler"},
		string(Kwok):              {user: kwokUser},
	}
	for name, who := range users {
		if name != "admin" && !s.options.runs(Component(name)) {
			continue
		}
		config, err := s.kubeconfig(now, who)
		if err != nil {
			return err
		}
		if err := s.write(name+".kubeconfig", config); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) writePair(name string, pair keyPair) error {
	if err := s.write(name+".crt", pair.cert); err != nil {
		return err
	}
	return s.write(name+".key", pair.key)
}

func (s *site) write(name string, data []byte) error {
	if err := os.WriteFile(s.file(name), data, 0o600); err != nil {
		return fmt.Errorf("lay out the control plane: %w", err)
	}
	return nil
}
