package traffic

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/webhook"
)

// Holdfast is our webhook with these policies. It keeps its metrics, and writes its log, as JSON, to nowhere.
func Holdfast(policies [][]byte) (http.Handler, error) {
	files := fstest.MapFS{}
	for i, text := range policies {
		files[fmt.Sprintf("%d.yaml", i)] = &fstest.MapFile{Data: text}
	}
	s, _, err := bundle.Load(context.Background(), bundle.Sources{FS: files, FSName: "measured"})
	if err != nil {
		return nil, fmt.Errorf("loading the policies to measure: %w", err)
	}
	return webhook.NewHandler(webhook.Options{
		Snapshots: always{s}, Inputs: engine.Inputs{Lookups: world{}, Now: time.Now},
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)), Metrics: prometheus.NewRegistry(),
	})
}

// always has one snapshot.
type always struct{ snapshot *engine.Snapshot }

func (a always) Current() *engine.Snapshot { return a.snapshot }

// world answers look-ups without a wait, as caches do.
type world struct{ engine.NoLookups }

func (world) NamespaceLabels(_ context.Context, namespace string) (map[string]string, error) {
	return map[string]string{"kubernetes.io/metadata.name": namespace}, nil
}

func (w world) NamespaceLabelsAtHand(namespace string) (map[string]string, bool) {
	labels, err := w.NamespaceLabels(context.Background(), namespace)
	return labels, err == nil
}

func (world) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return []string{"ci:deployer"}, []string{"view"}, nil
}
