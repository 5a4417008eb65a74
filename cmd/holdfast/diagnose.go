package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
)

func (c *cli) diagnose() *cobra.Command {
	opts := app.DiagnoseOptions{Namespace: app.DefaultServeOptions().Namespace}
	cmd := &cobra.Command{
		Use:   "diagnose",
		Short: "Say what looks wrong with Holdfast in a cluster, and gather what there is to know of it",
		Long: `Diagnose writes one archive (tar.gz) with what the replicas and the cluster say of Holdfast: versions,
configuration, status and coverage, metrics, webhook configurations, leases, Events, Pods, and the end of
the logs. It says in plain words what looks wrong, with the runbook for it, and what it could not look at.

It changes nothing and reads no Secret. Passwords, tokens and keys that stand elsewhere, such as in
variables or in an address, are taken out of everything that it writes. Names of objects and policies stay.

It takes the rights to read what the chart made in the namespace, pods/proxy and pods/log, and the webhook
configurations. --url asks programs that run elsewhere, at their addresses of /metrics.

Exit codes: 0 nothing looks wrong, 1 something does or could not be looked at, 2 nothing could be gathered.`,
		Example: `  # in the cluster of the current kubeconfig
  holdfast diagnose

  # a program outside of the cluster, and its log
  holdfast diagnose --url http://127.0.0.1:8080 --log holdfast.log --out case-7.tar.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := buildInfo()
			opts.Version, opts.Commit = b.Version, b.Commit
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.Diagnose(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Kubeconfig, "kubeconfig", "", "`FILE` that leads to the cluster (default: $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&opts.Namespace, "namespace", opts.Namespace, "`NAMESPACE` of the replicas")
	flags.StringArrayVar(&opts.URLs, "url", nil, "ask at this `URL` instead of the cluster's Pods (repeatable)")
	flags.StringArrayVar(&opts.Logs, "log", nil, "add the end of this `FILE` that a program logs to (repeatable)")
	flags.StringVar(&opts.Out, "out", "", "write the archive to this new `FILE` (default: one in this folder, named by the time)")
	return cmd
}
