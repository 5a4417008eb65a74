package controlplane

import "fmt"

// args gives the command line of a component. Where a flag departs from the default, the line says why.
func (s *site) args(c Component) []string {
	var args []string
	switch c {
	case Etcd:
		args = s.etcdArgs()
	case APIServer:
		args = s.apiServerArgs()
	case ControllerManager:
		args = append(s.controllerArgs(c),
			"--service-account-private-key-file="+s.file("service-accounts.key"),
			"--root-ca-file="+s.file("ca.crt"),
			"--cluster-signing-cert-file="+s.file("ca.crt"), "--cluster-signing-key-file="+s.file("ca.key"),
			// Each controller acts as its own service account, as in a cluster by kubeadm: requests then carry the
			// user names that policies have to reckon with.
			"--use-service-account-credentials=true",
			// The default of 20 requests a second would be the slowest part of a test.
			"--kube-api-qps=500", "--kube-api-burst=1000",
		)
	case Scheduler:
		args = append(s.controllerArgs(c), "--kube-api-qps=500", "--kube-api-burst=1000")
	case Kwok:
		args = s.kwokArgs()
	}
	return append(args, s.options.ExtraArgs[c]...)
}

func (s *site) etcdArgs() []string {
	client, peer := "https://"+loopback(s.ports[portEtcd]), "https://"+loopback(s.ports[portEtcdPeer])
	cert, key, ca := s.file("etcd.crt"), s.file("etcd.key"), s.file("ca.crt")
	return []string{
		"--name=e2e",
		"--data-dir=" + s.file("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=e2e=" + peer,
		// Loopback is shared with every user of the machine: without certificates anybody could write to the cluster.
		"--cert-file=" + cert, "--key-file=" + key, "--trusted-ca-file=" + ca, "--client-cert-auth",
		"--peer-cert-file=" + cert, "--peer-key-file=" + key, "--peer-trusted-ca-file=" + ca, "--peer-client-cert-auth",
		// The data need not outlive the machine, and fsync is most of what a write costs.
		"--unsafe-no-fsync",
		// Keeps 1,000 and not 10,000 raft entries in memory.
		"--snapshot-count=1000", "--snapshot-catchup-entries=500",
		"--log-level=warn",
	}
}

func (s *site) apiServerArgs() []string {
	args := []string{
		"--etcd-servers=https://" + loopback(s.ports[portEtcd]),
		"--etcd-cafile=" + s.file("ca.crt"),
		"--etcd-certfile=" + s.file("etcd-client.crt"), "--etcd-keyfile=" + s.file("etcd-client.key"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", s.ports[portAPI]),
		// The server looks for a network interface of the host to advertise, and fails where there is none but loopback;
		// and it would publish the address as endpoint of the Service "kubernetes", which loopback may not be.
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--tls-cert-file=" + s.file("kube-apiserver.crt"), "--tls-private-key-file=" + s.file("kube-apiserver.key"),
		"--client-ca-file=" + s.file("ca.crt"),
		"--authorization-mode=RBAC",
		// What an aggregated API needs; the other components complain every ten seconds where it is missing.
		"--requestheader-client-ca-file=" + s.file("front-proxy-ca.crt"),
		"--requestheader-allowed-names=" + frontProxyUser,
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + s.file("front-proxy.crt"), "--proxy-client-key-file=" + s.file("front-proxy.key"),
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + s.file("service-accounts.key"),
		"--service-account-signing-key-file=" + s.file("service-accounts.key"),
		// As kubeadm does; without it the server itself refuses the privileged pods that policies are about.
		"--allow-privileged=true",
		"--profiling=false",
	}
	if !s.options.runs(ControllerManager) {
		// This plugin refuses every pod until its namespace has a service account "default", and it is
		// kube-controller-manager that makes those.
		args = append(args, "--disable-admission-plugins=ServiceAccount")
	}
	if s.options.AuditPolicy != "" {
		args = append(args,
			"--audit-policy-file="+s.file("audit-policy.yaml"),
			"--audit-log-path="+s.file(auditLog),
			// The event is on disk before the client has its answer, so that a test can read what it has caused.
			"--audit-log-mode=blocking",
		)
	}
	return args
}

// controllerArgs are common to kube-controller-manager and kube-scheduler.
func (s *site) controllerArgs(c Component) []string {
	config := s.file(string(c) + ".kubeconfig")
	return []string{
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", s.ports[string(c)]),
		"--tls-cert-file=" + s.file(string(c)+".crt"), "--tls-private-key-file=" + s.file(string(c)+".key"),
		// There is one of each; an election would only delay its start.
		"--leader-elect=false",
		"--profiling=false",
	}
}

func (s *site) kwokArgs() []string {
	return []string{
		"--kubeconfig=" + s.file("kwok.kubeconfig"),
		"--config=" + s.file("kwok-stages.yaml"),
		"--manage-all-nodes=true",
		// The default has room for 254 pods.
		"--cidr=10.244.0.0/16",
		"--server-address=" + loopback(s.ports[string(Kwok)]),
		"--node-lease-duration-seconds=40",
	}
}
