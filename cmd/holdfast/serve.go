package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

// serve makes the command around the function that does the work.
func (c *cli) serve(run func(context.Context, app.ServeOptions, app.IO) (app.Exit, error)) *cobra.Command {
	opts := app.DefaultServeOptions()
	printConfig := false
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Judge at admission and keep auditing, on a cluster",
		Long: `Serve answers the API server's admission webhooks by the bundle, registers itself there, and keeps
auditing what exists. In a cluster it needs no flags. Outside of one, --kubeconfig leads to the
cluster, and --webhook-url is where the API server reaches this program.

Policies of kyverno.io that the cluster holds, with their exceptions, cleanup policies and global context
entries, are taken up beside the bundle (--live-policies). What generate rules want to exist, and what mutate rules want of their
targets, is carried out, as far as its account may write it (--reconcile). What would mend the objects that rules find
at fault is planned, proved and shown as Remediations (--reconcile-mode).`,
		Example: `  # in a cluster
  holdfast serve

  # outside of one, for a try
  holdfast serve --kubeconfig kubeconfig --webhook-url https://127.0.0.1:9443 \
    --listen 127.0.0.1:9443 --metrics-listen 127.0.0.1:8080 --state-dir state/

  # see which values are in force and where they come from
  holdfast serve --config holdfast.yaml --print-config`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if printConfig {
				return config.Print(c.streams.Out, c.values)
			}
			opts.Version, opts.Ledger.DSN = buildInfo().Version, os.Getenv(app.LedgerDSNVariable)
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(run(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	bundleFlags(cmd, &opts.Bundle, &opts.Packs)
	flags.StringVar(&opts.Kubeconfig, "kubeconfig", opts.Kubeconfig, "`FILE` that leads to the cluster (default: the cluster that this runs in)")
	flags.StringVar(&opts.WebhookURL, "webhook-url", opts.WebhookURL, "`URL` where the API server reaches the webhook from outside of the cluster")
	flags.StringVar(&opts.WebhookName, "webhook-name", opts.WebhookName, "`NAME` of the webhook configurations (two programs outside of one cluster need two)")
	flags.StringVar(&opts.Service, "service", opts.Service, "`NAME` of the Service in front of the webhook, in the cluster")
	flags.StringVar(&opts.WebhookOwner, "webhook-owner", opts.WebhookOwner, "`NAME` of the ClusterRole with which the webhook configurations go, in the cluster (default: they stay)")
	flags.StringVar(&opts.Deployment, "deployment", opts.Deployment, "`NAME` of the Deployment whose replicas answer, in the cluster: failurePolicy Fail is switched on once all are ready (empty: this one is all)")
	flags.StringSliceVar(&opts.BreakGlassUsers, "break-glass-users", opts.BreakGlassUsers, "`USERS` whose writes are never intercepted, by their names at the API server (default: none)")
	flags.StringSliceVar(&opts.BreakGlassGroups, "break-glass-groups", opts.BreakGlassGroups, "`GROUPS` whose members' writes are never intercepted (default: none)")
	flags.StringVar(&opts.Namespace, "namespace", opts.Namespace, "`NAMESPACE` of this program, which the webhook leaves out")
	flags.StringVar(&opts.Listen, "listen", opts.Listen, "`ADDRESS` of the webhook")
	flags.StringVar(&opts.ClientCAFile, "client-ca-file", opts.ClientCAFile, "`FILE` with the CA of who may send reviews (default: everybody may)")
	flags.StringSliceVar(&opts.ClientNames, "client-name", opts.ClientNames, "`NAME` that a client certificate of --client-ca-file may be for (repeatable; default: any)")
	flags.StringVar(&opts.MetricsListen, "metrics-listen", opts.MetricsListen, "`ADDRESS` of /metrics, /healthz and /readyz")
	flags.StringVar(&opts.ProfileListen, "pprof-listen", opts.ProfileListen, "loopback `ADDRESS` of /debug/pprof, for go tool pprof (default: none)")
	flags.BoolVar(&opts.Admission, "admission", opts.Admission, "answer admission reviews, and keep the webhook configurations")
	flags.BoolVar(&opts.Audit, "audit", opts.Audit, "take part in the audit: of all replicas that do, one audits")
	flags.StringVar(&opts.AuditStatefulSet, "audit-statefulset", opts.AuditStatefulSet, "`NAME` of the StatefulSet whose Pods audit a part of the objects each, for more than one can audit")
	flags.StringVar(&opts.PodName, "pod-name", opts.PodName, "`NAME` of this program's Pod (default: the host's name)")
	flags.DurationVar(&opts.Resweep, "resweep", opts.Resweep, "longest `DURATION` between two sweeps of the audit over everything")
	flags.DurationVar(&opts.ClockInterval, "clock-interval", opts.ClockInterval, "`DURATION` after which the audit asks rules again that read the clock")
	reportFlags(cmd, &opts.Reports)
	flags.BoolVar(&opts.LivePolicies, "live-policies", opts.LivePolicies, "take up the policies that the cluster holds, beside the bundle")
	flags.StringSliceVar(&opts.ExceptionNamespaces, "exception-namespaces", opts.ExceptionNamespaces, "`NAMESPACES`, with wildcards, whose PolicyExceptions count (default: that of this program)")
	flags.BoolVar(&opts.Reconcile, "reconcile", opts.Reconcile, "make and keep what generate rules generate, and change the targets of mutate rules; without, the audit only reports them")
	flags.Var(config.NewChoice(&opts.ReconcileMode, app.Modes()), "reconcile-mode", "how far anything may go with objects that rules find at fault; policies and Namespaces can only narrow it")
	flags.StringVar(&opts.ReconcileStrategy, "reconcile-strategy", opts.ReconcileStrategy, "in which `STEPS` a Remediation is carried out, which policies can only narrow (default: canary=1, wave=25%, max-failures=0, pause=30s, health-timeout=5m)")
	gateFlags(cmd, &opts.Gates)
	flags.DurationVar(&opts.Approvals.Lasts, "approval-lasts", opts.Approvals.Lasts, "longest `DURATION` for which the approval of a Remediation counts")
	flags.BoolVar(&opts.Approvals.NotByAuthor, "approval-not-by-author", opts.Approvals.NotByAuthor, "demand that whoever approves a Remediation is not the one who edited its policy last")
	flags.StringVar(&opts.ManagedBy, "managed-by", opts.ManagedBy, "`VALUE` of the label app.kubernetes.io/managed-by on what is generated")
	flags.StringVar(&opts.StateDir, "state-dir", opts.StateDir, "`FOLDER` for certificates outside of a cluster, and for the ledger")
	flags.StringVar(&opts.CertDir, "cert-dir", opts.CertDir, "`FOLDER` with tls.crt, tls.key and ca.crt to use, reloaded on change (default: issue our own)")
	flags.BoolVar(&opts.Events, "events", opts.Events, "tell of refused writes and of new findings by Events on the objects")
	settleFlags(cmd, &opts.Settle)
	ledgerFlags(cmd, &opts.Ledger)
	lookupFlags(cmd, &opts.Lookups)
	observeFlags(cmd, &opts.Traces, &opts.Logs)
	flags.BoolVar(&printConfig, "print-config", false, "write the values in force and where each comes from, and end")
	return cmd
}

// gateFlags adds the flags of how far and how fast objects are changed.
func gateFlags(cmd *cobra.Command, o *app.GateOptions) {
	flags := cmd.Flags()
	flags.StringVar(&o.Windows, "reconcile-windows", o.Windows, "`TIMES` in which objects are changed, as in the annotation holdfast.dev/windows (default: any time)")
	flags.StringVar(&o.Limits, "reconcile-limits", o.Limits, "how much may be changed, as in the annotation holdfast.dev/limits: `LIMITS` in the place of share=50%, budget=50, attempts=3, fights=3, failures=50%")
	flags.IntVar(&o.NamespaceBudget, "reconcile-budget-namespace", o.NamespaceBudget, "`NUMBER` of objects that may be changed in an hour in one Namespace")
	flags.IntVar(&o.ClusterBudget, "reconcile-budget-cluster", o.ClusterBudget, "`NUMBER` of objects that may be changed in an hour in the cluster")
}

// reportFlags adds the flags of the reports.
func reportFlags(cmd *cobra.Command, o *app.ReportOptions) {
	cmd.Flags().StringVar((*string)(&o.API), "report-api", string(o.API), "`GROUP` of the reports: wgpolicyk8s.io or openreports.io")
	cmd.Flags().StringVar((*string)(&o.Layout), "report-layout", string(o.Layout), "`LAYOUT` of reports: resource (one per object) or namespace (as few as have room)")
	cmd.Flags().StringSliceVar(&o.Results, "report-results", o.Results, "`OUTCOMES` of which reports have each result, and of the others the number: fail, error, warn, skip, pass, or all")
}

// lookupFlags adds the flags of the look-ups of rules.
func lookupFlags(cmd *cobra.Command, o *app.LookupOptions) {
	cmd.Flags().StringArrayVar(&o.AllowedServices, "allowed-service-url", o.AllowedServices, "`URL` of a service that policies may call: its host, and with a path what is below it (repeatable; default: none)")
	cmd.Flags().DurationVar(&o.Timeout, "lookup-timeout", o.Timeout, "longest `DURATION` of one look-up of a rule")
}

// observeFlags adds the flags of traces and of the log.
func observeFlags(cmd *cobra.Command, t *app.TraceOptions, l *app.LogOptions) {
	flags := cmd.Flags()
	flags.StringVar(&t.Endpoint, "otlp-endpoint", t.Endpoint, "`URL` of a collector for traces, by OTLP over HTTP: http://HOST:4318 or https://HOST:4318 (default: no traces)")
	flags.StringVar(&t.CAFile, "otlp-ca-file", t.CAFile, "`FILE` with the CA of the collector's certificate (default: those of the system)")
	flags.StringVar(&t.HeadersFile, "otlp-headers-file", t.HeadersFile, "`FILE` with headers for the collector, NAME: VALUE on a line each")
	flags.Float64Var(&t.Ratio, "trace-ratio", t.Ratio, "`SHARE` of the admission reviews that are traced, 0 to 1, where the API server does not say; sweeps and Remediations always are")
	flags.StringSliceVar(&t.Attributes, "trace-attribute", t.Attributes, "`KEY=VALUE` on all spans, such as k8s.cluster.name=prod (repeatable)")
	flags.IntVar(&l.Repeats, "log-repeats", l.Repeats, "`NUMBER` of lines that are alike to log in an interval, before the rest are only counted; 0 for all")
	flags.DurationVar(&l.Interval, "log-repeats-interval", l.Interval, "`DURATION` of that interval")
}

// settleFlags adds the flags of when findings are taken for drift.
func settleFlags(cmd *cobra.Command, o *app.SettleOptions) {
	cmd.Flags().DurationVar(&o.Default, "settle", o.Default, "`DURATION` after which a finding of the audit is taken for drift, unless its policy says another (annotation holdfast.dev/settle)")
	cmd.Flags().StringSliceVar(&o.Namespaces, "settle-namespace", o.Namespaces, "`NAMESPACE=DURATION` for findings in namespaces, with wildcards, before --settle (repeatable; the first that matches)")
}

// ledgerFlags adds the flags of the ledger.
func ledgerFlags(cmd *cobra.Command, o *app.LedgerOptions) {
	flags := cmd.Flags()
	flags.BoolVar(&o.Enabled, "ledger", o.Enabled, "keep a record of what is decided and done, in the state folder or a database")
	flags.StringVar(&o.DSNFile, "ledger-dsn-file", o.DSNFile, "`FILE` with the DSN of a PostgreSQL database for the ledger (or "+app.LedgerDSNVariable+" in the environment)")
	flags.DurationVar(&o.Retention, "ledger-retention", o.Retention, "`DURATION` for which entries of the ledger are kept; 0 for ever")
	flags.StringVar(&o.MaxSize, "ledger-max-size", o.MaxSize, "`SIZE` of the ledger's file, at which the oldest entries are cut off")
}
