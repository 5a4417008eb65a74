package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) plan() *cobra.Command {
	opts := app.PlanOptions{Output: app.Table}
	cmd := &cobra.Command{
		Use:   "plan PATH...",
		Short: "Show what would mend what rules find, or what is pending in a cluster",
		Long: `Plan finds for each finding about the objects of files the smallest change that repairs it and breaks no other
rule, and shows it as serve would propose it in a cluster, but that no API server has tried it. Nothing is
written.

With --cluster it shows the Remediations of a live cluster that have not ended; --watch goes on with each that
changes.`,
		Example: `  # what would be proposed for a folder
  holdfast plan deploy/

  # the same as Remediations, with patches
  holdfast plan deploy/ -o yaml

  # what is pending in the cluster of the current kubeconfig
  holdfast plan --cluster --watch`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			opts.Version = buildInfo().Version
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.Plan(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	bundleFlags(cmd, &opts.Bundle, &opts.Packs)
	flags.VarP(config.NewChoice(&opts.Output, app.PlanFormats()), "output", "o", "form of the answer")
	flags.StringVar(&opts.Namespace, "namespace", "default", "`NAMESPACE` of objects that name none")
	flags.BoolVar(&opts.Cluster, "cluster", false, "show what is pending in a live cluster")
	flags.BoolVar(&opts.Watch, "watch", false, "with --cluster: go on with each that changes")
	flags.StringVar(&opts.Kubeconfig, "kubeconfig", "", "`FILE` that leads to the cluster of --cluster (default: $KUBECONFIG or ~/.kube/config)")
	return cmd
}
