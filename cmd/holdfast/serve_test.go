package main

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast-io/holdfast/app"
)

// served runs serve with a stand-in for the work, and gives the options that reached it.
func served(t *testing.T, args ...string) (*app.ServeOptions, string, error) {
	t.Helper()
	var out bytes.Buffer
	c := &cli{streams: app.IO{Out: &out, Err: &out}}
	root := c.root()
	for _, sub := range root.Commands() {
		if sub.Name() == "serve" {
			root.RemoveCommand(sub)
		}
	}
	var got *app.ServeOptions
	cmd := c.serve(func(_ context.Context, opts app.ServeOptions, _ app.IO) (app.Exit, error) {
		got = &opts
		return app.Clean, nil
	})
	root.AddCommand(cmd)
	c.finish(cmd)
	root.SetArgs(append([]string{"serve"}, args...))
	err := root.Execute()
	return got, out.String(), err
}

func TestServeTakesItsOptionsFromFlags(t *testing.T) {
	got, _, err := served(t, "--kubeconfig", "k", "--webhook-url", "https://127.0.0.1:9443", "--listen", "127.0.0.1:9443",
		"--metrics-listen", "127.0.0.1:8080", "--state-dir", "s", "--bundle", "a", "--bundle", "b", "--cert-dir", "c", "--namespace", "n", "--service", "v", "--webhook-name", "w", "--webhook-owner", "r", "--client-ca-file", "ca", "--client-name", "api",
		"--allowed-service-url", "https://x.example", "--lookup-timeout", "3s", "--live-policies=false", "--exception-namespaces", "team-*,legacy", "--reconcile=false", "--reconcile-mode", "enforce", "--reconcile-windows", "deny @daily for 1h", "--reconcile-limits", "share=1%", "--reconcile-budget-namespace", "1", "--reconcile-budget-cluster", "2", "--approval-lasts", "2h", "--approval-not-by-author", "--managed-by", "m",
		"--deployment", "d", "--break-glass-users", "u", "--break-glass-groups", "g", "--admission=false", "--audit-statefulset", "x", "--pod-name", "x-1", "--resweep", "2h", "--clock-interval", "1m",
		"--report-api", "openreports.io", "--report-layout", "namespace", "--report-results", "fail,error",
		"--ledger=false", "--ledger-dsn-file", "f", "--ledger-retention", "24h", "--ledger-max-size", "64Mi",
		"--events=false", "--settle", "1m", "--settle-namespace", "dev-*=5m,prod=0s",
		"--otlp-endpoint", "https://c:4318", "--otlp-ca-file", "cc", "--otlp-headers-file", "h", "--trace-ratio", "0.5", "--trace-attribute", "k8s.cluster.name=prod", "--log-repeats", "3", "--log-repeats-interval", "2m")
	if err != nil {
		t.Fatal(err)
	}
	want := &app.ServeOptions{
		Audit: true, AuditStatefulSet: "x", PodName: "x-1", Resweep: 2 * time.Hour, ClockInterval: time.Minute,
		Reports:    app.ReportOptions{API: "openreports.io", Layout: "namespace", Results: []string{"fail", "error"}},
		Deployment: "d", BreakGlassUsers: []string{"u"}, BreakGlassGroups: []string{"g"},
		ExceptionNamespaces: []string{"team-*", "legacy"}, ManagedBy: "m", ReconcileMode: "enforce", Gates: app.GateOptions{Windows: "deny @daily for 1h", Limits: "share=1%", NamespaceBudget: 1, ClusterBudget: 2}, Approvals: app.ApprovalOptions{Lasts: 2 * time.Hour, NotByAuthor: true},
		Kubeconfig: "k", Bundle: []string{"a", "b"}, WebhookURL: "https://127.0.0.1:9443", WebhookName: "w", WebhookOwner: "r", ClientCAFile: "ca", ClientNames: []string{"api"}, Service: "v", Namespace: "n",
		Listen: "127.0.0.1:9443", MetricsListen: "127.0.0.1:8080", StateDir: "s", CertDir: "c",
		Ledger:  app.LedgerOptions{DSNFile: "f", Retention: 24 * time.Hour, MaxSize: "64Mi"},
		Settle:  app.SettleOptions{Default: time.Minute, Namespaces: []string{"dev-*=5m", "prod=0s"}},
		Lookups: app.LookupOptions{AllowedServices: []string{"https://x.example"}, Timeout: 3 * time.Second},
		Traces:  app.TraceOptions{Endpoint: "https://c:4318", CAFile: "cc", HeadersFile: "h", Ratio: 0.5, Attributes: []string{"k8s.cluster.name=prod"}},
		Logs:    app.LogOptions{Repeats: 3, Interval: 2 * time.Minute}, Version: buildInfo().Version,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestServeNeedsNoFlagsInACluster(t *testing.T) {
	got, _, err := served(t)
	want := app.DefaultServeOptions()
	want.Version = buildInfo().Version
	if err != nil || !reflect.DeepEqual(got, &want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestServeChecksItsOptions(t *testing.T) {
	for flag, want := range map[string]string{
		"--listen=9443":                                 `--listen "9443": expected HOST:PORT or :PORT`,
		"--managed-by=a;b":                              `--managed-by "a;b": expected the value of a label`,
		"--admission=false --audit=false":               "neither --admission nor --audit: nothing is left to do",
		"--audit=false --audit-statefulset=x":           "--audit-statefulset needs --audit",
		"--client-name=x":                               "--client-name needs --client-ca-file",
		"--audit-statefulset=x":                         "--audit-statefulset needs --admission=false: Pods that share the audit come and go with their number, and admission must not",
		"--report-api=x":                                `--report-api "x": expected wgpolicyk8s.io or openreports.io`,
		"--report-layout=x":                             `--report-layout "x": expected resource or namespace`,
		"--report-results=fail,all":                     `--report-results: "all": expected some of fail, error, warn, skip and pass, or all`,
		"--resweep=1s":                                  "--resweep 1s: expected 1m or more",
		"--clock-interval=1s":                           "--clock-interval 1s: expected 10s or more",
		"--ledger-retention=-1h":                        "--ledger-retention -1h0m0s: expected a time, or 0 for ever",
		"--ledger-max-size=1Ki":                         `--ledger-max-size "1Ki": expected a size of 16Mi at least, such as 1Gi`,
		"--lookup-timeout=0s":                           "--lookup-timeout: expected more than 0 and at most 30s",
		"--lookup-timeout=1m":                           "--lookup-timeout: expected more than 0 and at most 30s",
		"--otlp-endpoint=collector:4318":                "--otlp-endpoint: expected http://HOST:PORT or https://HOST:PORT",
		"--otlp-endpoint=https://u:p@c":                 "--otlp-endpoint has a user: expected credentials in --otlp-headers-file, which nobody sees",
		"--otlp-endpoint=https://c?k=p":                 "--otlp-endpoint takes no query or fragment",
		"--otlp-ca-file=f":                              "--otlp-ca-file and --otlp-headers-file need --otlp-endpoint",
		"--otlp-endpoint=http://c --otlp-ca-file=f":     "--otlp-ca-file needs an --otlp-endpoint of https",
		"--trace-ratio=1.5":                             "--trace-ratio 1.5: expected 0 to 1",
		"--trace-attribute=prod":                        `--trace-attribute "prod": expected KEY=VALUE`,
		"--log-repeats=-1":                              "--log-repeats -1: expected a number, or 0 for all lines",
		"--log-repeats-interval=1ms":                    "--log-repeats-interval 1ms: expected 1s or more",
		"--allowed-service-url=x.example":               `--allowed-service-url: allowed service "x.example": expected http://HOST or https://HOST, with or without a port and a path`,
		"--allowed-service-url=http://169.254.169.254/": `--allowed-service-url: allowed service "http://169.254.169.254/": its address is a link-local address`,
	} {
		got, _, err := served(t, strings.Fields(flag)...)
		if got != nil || err == nil || err.Error() != want {
			t.Errorf("%s: got %+v, %v, want %s", flag, got, err, want)
		}
	}
}

func TestServePrintsTheConfigurationInForce(t *testing.T) {
	t.Setenv("HOLDFAST_LOG_FORMAT", "json")
	got, out, err := served(t, "--print-config", "--bundle", "a", "--state-dir", "s")
	if err != nil || got != nil {
		t.Fatal(got, err)
	}
	for _, want := range []string{
		"bundle: # flag\n- a\n", "state-dir: s # flag\n", "log-format: json # environment HOLDFAST_LOG_FORMAT\n",
		"exception-namespaces: [] # default\n", "kubeconfig: \"\" # default\n", "listen: :9443 # default\n", "live-policies: true # default\n", "lookup-timeout: 10s # default\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant in it\n%s", out, want)
		}
	}
	c := &cli{}
	c.serve(nil).Flags().VisitAll(func(f *pflag.Flag) {
		if want := f.Name != "print-config"; want != strings.Contains("\n"+out, "\n"+f.Name+":") {
			t.Errorf("got\n%s\nwant a line of %s: %t", out, f.Name, want)
		}
	})
}

// TestFlagsKeepClearOfKubernetes: in a cluster, a Service of the name holdfast sets variables such as
// HOLDFAST_PORT and HOLDFAST_SERVICE_HOST, which must not be taken for flags.
func TestFlagsKeepClearOfKubernetes(t *testing.T) {
	c := &cli{}
	root := c.root()
	root.AddCommand(c.serve(nil))
	walk(root, func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "port" || strings.HasPrefix(f.Name, "port-") || strings.HasPrefix(f.Name, "service-") {
				t.Errorf("%s --%s: Kubernetes sets a variable of that name", cmd.CommandPath(), f.Name)
			}
		})
	})
}

func TestEveryCommandHasAnExample(t *testing.T) {
	c := &cli{}
	root := c.root()
	root.AddCommand(c.serve(nil))
	walk(root, func(cmd *cobra.Command) {
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s has no example or no summary", cmd.CommandPath())
		}
	})
}
