package scenarios

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// newKubelet stands in for the kubelets of all nodes: it takes commands for containers, runs none of them, and says that
// each has succeeded and written nothing. So a test sees whether the API server let a command through. It gives the
// arguments by which the control plane finds it.
func newKubelet(t *testing.T) map[controlplane.Component][]string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		remotecommand.ServeExec(w, r, succeeded{}, r.PathValue("pod"), "", r.PathValue("container"), r.Form["command"], options,
			time.Minute, 10*time.Second, remotecommand.SupportedStreamingProtocols)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return map[controlplane.Component][]string{
		controlplane.Kwok: {"--node-ip=" + address.Hostname(), "--node-port=" + address.Port()},
		// The names of the nodes lead nowhere.
		controlplane.APIServer: {"--kubelet-preferred-address-types=InternalIP"},
	}
}

// succeeded is the outcome of every command.
type succeeded struct{}

func (succeeded) ExecInContainer(context.Context, string, string, string, []string, io.Reader, io.WriteCloser, io.WriteCloser, bool, <-chan remotecommand.TerminalSize, time.Duration) error {
	return nil
}
