package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) audit() *cobra.Command {
	opts := app.AuditOptions{Output: app.Table, FailOn: app.FailOnFail}
	var live bool
	var kubeconfig string
	lookups := app.DefaultLookupOptions()
	cmd := &cobra.Command{
		Use:   "audit PATH...",
		Short: "Judge manifests or a cluster by the bundle, once",
		Long: `Audit judges every object in the files, in the folders (searched for *.yaml, *.yml and *.json) or on
standard input (-) as if it were created now, and writes what it found. With --cluster it judges what
exists in a live cluster.

--payload gives files that hold no objects of a cluster but any JSON or YAML, such as a Terraform plan:
the policies whose spec.evaluation.mode is JSON judge each document in them.

An object that a mutating policy would change is a finding too: it has drifted from what the policy
wants. --patches writes what would bring it back.

--baseline shows only what is worse than in an earlier audit: a finding is known again by its policy, rule
and object, not by its line or message. What is known is counted, and does not make the exit code 1.

A document that cannot be read is told, with its place, and makes the exit code 2; the others are
judged all the same. A rule that needs facts which only an admission request has (a user, an old
object) is skipped as not auditable; -v shows those results.`,
		Example: `  # judge a folder by the shipped bundle
  holdfast audit deploy/

  # judge what a chart renders by policies of your own, for code scanning
  helm template my-app ./chart | holdfast audit - --bundle policies/ -o sarif > holdfast.sarif

  # leave out a pack, and name your own registries
  holdfast audit deploy/ --pack best-practices=off --parameter 'allowedRegistries=registry.example.com/*'

  # fail a pipeline on grave findings only
  holdfast audit deploy/ --fail-on high

  # fail a pipeline only on what this change makes worse
  git worktree add ../before main
  (cd ../before && holdfast audit deploy/ -o json --fail-on none) > before.json
  holdfast audit deploy/ --baseline before.json

  # judge a Terraform plan by policies on JSON
  terraform show -json plan.out | holdfast audit --payload - --bundle policies/

  # judge what exists in the cluster of the current kubeconfig
  holdfast audit --cluster

  # write patches for what mutating policies would change, and see how kubectl applies them
  holdfast audit deploy/ --patches patches/`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			opts.Version = buildInfo().Version
			if kubeconfig != "" && !live {
				return &usageError{cmd.CommandPath(), errors.New("--kubeconfig goes with --cluster")}
			}
			if live {
				if err := lookups.Validate(); err != nil {
					return &usageError{cmd.CommandPath(), err}
				}
				opts.Cluster = app.ClusterSweep{Kubeconfig: kubeconfig, Version: opts.Version, Lookups: lookups, Log: c.streams.Log}
			}
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.Audit(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	bundleFlags(cmd, &opts.Bundle, &opts.Packs)
	flags.StringArrayVar(&opts.Payloads, "payload", nil, "judge this `FILE` of JSON or YAML by the policies of the mode JSON: a file, a folder or - (repeatable)")
	flags.VarP(config.NewChoice(&opts.Output, app.AuditFormats()), "output", "o", "form of the answer")
	flags.StringVar(&opts.Baseline, "baseline", "", "leave out the findings of an earlier audit, written to this `FILE` with -o json; say how many they are")
	flags.StringVar(&opts.Patches, "patches", "", "write a patch for each drifted object into this `FOLDER`")
	flags.BoolVar(&live, "cluster", false, "judge a live cluster")
	flags.StringVar(&kubeconfig, "kubeconfig", "", "`FILE` that leads to the cluster of --cluster (default: $KUBECONFIG or ~/.kube/config)")
	lookupFlags(cmd, &lookups)
	flags.StringVar(&opts.Namespace, "namespace", "default", "`NAMESPACE` of objects that name none")
	flags.Var(config.NewChoice(&opts.FailOn, app.FailOnLevels()), "fail-on", "least finding that makes the exit code 1")
	flags.BoolVarP(&opts.All, "verbose", "v", false, "show in a table what passed and what was skipped too")
	return cmd
}

// bundleFlags adds --bundle, and what is chosen of it.
func bundleFlags(cmd *cobra.Command, paths *[]string, packs *app.PackOptions) {
	cmd.Flags().StringArrayVarP(paths, "bundle", "b", nil, "policies from this `PATH`: a file, a folder or - (repeatable; default: the shipped bundle)")
	packFlags(cmd, packs)
}

// packFlags adds the flags that choose of a bundle.
func packFlags(cmd *cobra.Command, o *app.PackOptions) {
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Packs, "pack", nil, "how far the policies of a pack go, as `NAME=MODE`: off, audit or enforce (repeatable; default: as they are written)")
	flags.StringSliceVar(&o.Policies, "policy", nil, "the same of one policy as `NAME=MODE`, before its packs (repeatable)")
	parameterFlag(cmd, &o.Parameters)
}

func parameterFlag(cmd *cobra.Command, values *[]string) {
	cmd.Flags().StringArrayVar(values, "parameter", nil, "value of a policy's parameter as `NAME=VALUE`, in the place of its own (repeatable, with the name before each value of a list)")
}
