package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// ServeOptions are what `holdfast serve` takes.
type ServeOptions struct {
	// Kubeconfig is the file that leads to the cluster; empty means the one that the program runs in.
	Kubeconfig string
	// Bundle are the bundle's paths; none means the shipped one.
	Bundle []string
	// Packs say which of its policies are in force, and how.
	Packs PackOptions
	// WebhookURL is where the API server reaches the webhook from outside of the cluster; empty means
	// through the Service in Namespace.
	WebhookURL string
	// WebhookName names the two webhook configurations. Two programs outside of one cluster need names of
	// their own. Default: holdfast.
	WebhookName string
	// WebhookOwner names the ClusterRole with which the webhook configurations go when it is deleted, in the cluster. Empty:
	// they stay until somebody deletes them.
	WebhookOwner string
	// Service names the Service in front of the webhook, in the cluster. Default: holdfast.
	Service string
	// Deployment names the Deployment whose replicas answer the API server, in the cluster: failurePolicy Fail is
	// switched on once all of them are ready. Default: holdfast. Empty: this process is all.
	Deployment string
	// BreakGlassUsers and BreakGlassGroups are let pass unexamined. Default: nobody.
	BreakGlassUsers, BreakGlassGroups []string
	// Namespace is the program's own: it keeps its Secret and its lease there, and the webhook leaves it
	// out. Default: holdfast.
	Namespace string
	// Listen is the address of the webhook. Default: :9443, which needs no privileges.
	Listen string
	// MetricsListen is the address of /metrics, /healthz and /readyz, without TLS. Default: :8080.
	MetricsListen string
	// ProfileListen is the loopback address of /debug/pprof; empty for none.
	ProfileListen string
	// Admission answers admission reviews and keeps the webhook configurations. Default: true.
	Admission bool
	// Audit has this replica take part in the audit: one of all that do leads, or with AuditStatefulSet each has its
	// part. Default: true.
	Audit bool
	// AuditStatefulSet names the StatefulSet in Namespace whose Pods share the audited objects among them; empty means
	// that one replica audits all. PodName is the name of this program's Pod. Default: the host's name.
	AuditStatefulSet, PodName string
	// Resweep is how often the audit lists everything anew, as the safety net under its watches. Default: 1 h, at which it
	// costs next to nothing. ClockInterval is how often it asks rules again that read the clock. Default: 5 min.
	Resweep, ClockInterval time.Duration
	// Reports say how what the audit finds is reported.
	Reports ReportOptions
	// LivePolicies takes up the policies that the cluster holds, beside the bundle, and checks them when they
	// are written. Default: true.
	LivePolicies bool
	// ExceptionNamespaces are the namespaces, with wildcards, whose PolicyExceptions count; "*" for all. Default:
	// Namespace alone, because who writes an exception switches policies off.
	ExceptionNamespaces []string
	// Reconcile carries out what generate rules and mutate rules with targets want of other objects than the one
	// that they match. Default: true; without, the audit reports it and no more.
	Reconcile bool
	// ReconcileMode is how far anything may go with what is found: report, propose, approve or enforce. Policies and
	// Namespaces can only narrow it. Default: propose.
	ReconcileMode Mode
	// ReconcileStrategy is in which steps plans are carried out, as "canary=1, wave=25%, max-failures=0, pause=30s,
	// health-timeout=5m" or some of it; policies can only narrow it. Default: that, see plan.DefaultStrategy.
	ReconcileStrategy string
	// Gates say how far and how fast objects are changed.
	Gates GateOptions
	// Approvals say what an approval of a Remediation takes.
	Approvals ApprovalOptions
	// ManagedBy is the value of the label app.kubernetes.io/managed-by on what is generated. Default: kyverno, so
	// that what it generated is adopted.
	ManagedBy string
	// StateDir is where certificates are kept outside of the cluster, and the ledger unless it is in a database.
	StateDir string
	// CertDir holds certificates from somewhere else (tls.crt, tls.key, ca.crt), reloaded on change; empty
	// means that the program issues its own.
	CertDir string
	// ClientCAFile has the CA of who may send reviews, as PEM: without a client certificate of it, a review is not answered.
	// ClientNames are the common or DNS names that such a certificate may be for; none for any. Default: no file, everybody
	// may, because API servers show a certificate only where they are configured to.
	ClientCAFile string
	ClientNames  []string
	// Events tells of refused writes and of new findings by Events on the objects. Default: true.
	Events bool
	// Settle says how long findings of the audit are transient.
	Settle SettleOptions
	// Ledger says where the record of what was decided and done is kept.
	Ledger LedgerOptions
	// Lookups say how far the look-ups of rules may go.
	Lookups LookupOptions
	// Traces say whether and where spans are sent.
	Traces TraceOptions
	// Logs say how many lines of the log there are of a kind.
	Logs LogOptions
	// Version of the program.
	Version string
}

// DefaultServeOptions gives the defaults of all options.
func DefaultServeOptions() ServeOptions {
	return ServeOptions{WebhookName: "holdfast", Service: "holdfast", Deployment: "holdfast", BreakGlassUsers: []string{}, BreakGlassGroups: []string{}, Namespace: ownNamespace, Listen: ":9443", MetricsListen: ":8080", Admission: true, Audit: true, Reports: DefaultReportOptions(), Resweep: time.Hour, ClockInterval: 5 * time.Minute, LivePolicies: true, Reconcile: true, ReconcileMode: Mode(v1alpha1.Propose), Gates: DefaultGateOptions(), Approvals: DefaultApprovalOptions(), ManagedBy: engine.DefaultManagedBy, ExceptionNamespaces: []string{}, ClientNames: []string{}, Events: true, Settle: DefaultSettleOptions(), Ledger: DefaultLedgerOptions(), Lookups: DefaultLookupOptions(), Traces: DefaultTraceOptions(), Logs: DefaultLogOptions()}
}

// Validate names the first option that cannot be used, by its flag.
func (o *ServeOptions) Validate() error {
	for _, address := range []struct{ flag, value string }{{"listen", o.Listen}, {"metrics-listen", o.MetricsListen}} {
		if _, _, err := net.SplitHostPort(address.value); err != nil {
			return fmt.Errorf("--%s %q: expected HOST:PORT or :PORT", address.flag, address.value)
		}
	}
	if o.ProfileListen != "" {
		if err := checkLoopback(o.ProfileListen); err != nil {
			return err
		}
	}
	switch {
	case len(o.ClientNames) > 0 && o.ClientCAFile == "":
		return errors.New("--client-name needs --client-ca-file")
	case !o.Admission && !o.Audit:
		return errors.New("neither --admission nor --audit: nothing is left to do")
	case o.AuditStatefulSet != "" && !o.Audit:
		return errors.New("--audit-statefulset needs --audit")
	case o.AuditStatefulSet != "" && o.Admission:
		return errors.New("--audit-statefulset needs --admission=false: Pods that share the audit come and go with their number, and admission must not")
	}
	// Below these, a sweep of a large cluster would follow the other at once.
	switch {
	case o.Resweep < time.Minute:
		return fmt.Errorf("--resweep %s: expected 1m or more", o.Resweep)
	case o.ClockInterval < 10*time.Second:
		return fmt.Errorf("--clock-interval %s: expected 10s or more", o.ClockInterval)
	}
	if o.Namespace == "" {
		return errors.New("--namespace is empty")
	}
	if o.WebhookName == "" {
		return errors.New("--webhook-name is empty")
	}
	if wrong := validation.IsValidLabelValue(o.ManagedBy); len(wrong) > 0 || o.ManagedBy == "" {
		return fmt.Errorf("--managed-by %q: expected the value of a label", o.ManagedBy)
	}
	if err := o.spared().Validate(); err != nil {
		return fmt.Errorf("--break-glass-users, --break-glass-groups: %w", err)
	}
	if err := o.Settle.Validate(); err != nil {
		return err
	}
	if _, err := o.strategy(); err != nil {
		return err
	}
	if err := errors.Join(o.Packs.Validate(), o.Gates.Validate(), o.Approvals.Validate(), o.Ledger.Validate(), o.Lookups.Validate(), o.Traces.Validate(), o.Logs.Validate()); err != nil {
		return err
	}
	if err := o.Reports.Validate(); err != nil {
		return err
	}
	if o.WebhookURL == "" {
		if o.Service == "" {
			return errors.New("--service is empty: expected the Service in front of the webhook, or --webhook-url")
		}
		return nil
	}
	u, err := url.Parse(o.WebhookURL)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("--webhook-url %q: expected https://HOST:PORT", o.WebhookURL)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("--webhook-url %q: a webhook's URL takes no user, query or fragment", o.WebhookURL)
	case o.StateDir == "" && o.CertDir == "":
		return errors.New("--webhook-url needs --state-dir, to keep certificates in, or --cert-dir")
	}
	return nil
}
