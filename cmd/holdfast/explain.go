package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) explain() *cobra.Command {
	opts := app.ExplainOptions{Output: app.Table, Lookups: app.DefaultLookupOptions()}
	cmd := &cobra.Command{
		Use:   "explain KIND/NAME",
		Short: "Say of one object of a cluster why it drifts, since when, by whom, and what would mend it",
		Long: `Explain judges one object of a live cluster by the bundle, and says of each rule that it fails what the rule
wants, who brought it about and when, as far as that is known, what would mend it, and what stands in
the way. The API server is asked to try each change, which needs the right to patch the object; nothing
is written.`,
		Example: `  holdfast explain deployment/shop -n web

  # for a program
  holdfast explain clusterrole/admins -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Object = args[0]
			opts.Version = buildInfo().Version
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.Explain(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	bundleFlags(cmd, &opts.Bundle, &opts.Packs)
	flags.StringVarP(&opts.Namespace, "namespace", "n", "default", "`NAMESPACE` of the object")
	flags.StringVar(&opts.Kubeconfig, "kubeconfig", "", "`FILE` that leads to the cluster (default: $KUBECONFIG or ~/.kube/config)")
	flags.VarP(config.NewChoice(&opts.Output, app.PlanFormats()), "output", "o", "form of the answer")
	lookupFlags(cmd, &opts.Lookups)
	return cmd
}
