package controlplane

import "context"

// StopAPIServer kills kube-apiserver, as a crash would; the other components run on. It does nothing if it is down.
func (cp *ControlPlane) StopAPIServer() {
	cp.mu.Lock()
	ch := cp.children[APIServer]
	cp.mu.Unlock()
	if ch != nil && ch.alive() {
		cp.progress.say("killing %s", APIServer)
		ch.kill()
	}
}

// StartAPIServer starts kube-apiserver again, on the same port and data, and waits until it is ready. If it runs
// already, it only waits.
func (cp *ControlPlane) StartAPIServer(ctx context.Context) error {
	cp.progress.say("starting %s", APIServer)
	ch, err := cp.start(APIServer)
	if err != nil {
		return err
	}
	return cp.awaitReady(ctx, ch)
}
