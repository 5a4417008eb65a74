package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) bundleMigrate() *cobra.Command {
	opts := app.MigrateOptions{Output: app.Table}
	cmd := &cobra.Command{
		Use:   "migrate [PATH...]",
		Short: "Translate ClusterPolicies into CEL policies, and prove it",
		Long: `Migrate translates the validate rules of kyverno.io ClusterPolicies and Policies, of files, folders or
standard input (-), into ValidatingPolicies of policies.kyverno.io. Without a path it takes the shipped
bundle. Each rule becomes one policy or several, or stays as it is, whole, with the reason and the place.

A translation counts only once it was proved: rule and policies are run side by side over objects made
from the rule's own text, and over those of --resource, created, updated, deleted and at rest. Where
one verdict differs the rule stays, and the object on which it differs is shown.

Rules that stay make the exit code 1.`,
		Example: `  holdfast bundle migrate policies/
  holdfast bundle migrate policies/ --out cel-policies/
  holdfast bundle migrate policy.yaml --resource manifests/ -o yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			return c.done(app.BundleMigrate(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&opts.Resources, "resource", nil, "`PATH` of objects on which rules and translations must agree (repeatable)")
	flags.StringVar(&opts.Out, "out", "", "`DIR` to write the CEL policies to, one file for each policy that they come from")
	formats := app.MigrateFormats()
	flags.VarP(config.NewChoice(&opts.Output, formats), "output", "o", "form of the answer")
	return cmd
}
