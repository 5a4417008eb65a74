package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) status() *cobra.Command {
	opts := app.StatusOptions{Namespace: app.DefaultServeOptions().Namespace, Output: app.Table}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the replicas in a cluster look at, and what they do not",
		Long: `Status asks every replica of the chart, through the API server, what it looks at: which bundle it has,
whether it is ready, and of each type of objects when it was last listed in full, how many there are
and whether changes are seen as they happen. What is missing is a gap, and makes the exit code 1.

It needs the rights to list Pods and to get pods/proxy in the namespace. --url asks a program that
runs elsewhere, at its address of /metrics.`,
		Example: `  # in the cluster of the current kubeconfig
  holdfast status

  # a program outside of the cluster
  holdfast status --url http://127.0.0.1:8080

  # only the gaps
  holdfast status -o json | jq -r '.gaps[]?'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Version = buildInfo().Version
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.Status(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Kubeconfig, "kubeconfig", "", "`FILE` that leads to the cluster (default: $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&opts.Namespace, "namespace", opts.Namespace, "`NAMESPACE` of the replicas")
	flags.StringArrayVar(&opts.URLs, "url", nil, "ask at this `URL` instead of the cluster's Pods (repeatable)")
	flags.VarP(config.NewChoice(&opts.Output, app.StatusFormats()), "output", "o", "form of the answer")
	return cmd
}
