package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) bundle() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Check, name, choose from, compare and translate bundles of policies",
		Long: `A bundle is what a set of policy files compiles to. Its digest names what the policies say: the order
of files, comments and formatting do not change it.`,
		Example: `  holdfast bundle check policies/
  holdfast bundle digest policies/
  holdfast bundle packs
  holdfast bundle diff before/ after/
  holdfast bundle migrate policies/`,
		Args: noCommand,
		RunE: help,
	}
	cmd.AddCommand(c.bundleCheck(), c.bundleDigest(), c.bundlePacks(), c.bundleDiff(), c.bundleMigrate())
	return cmd
}

// bundleFormats are those of the bundle commands.
var bundleFormats = [...]app.Format{app.Table, app.JSON}

func outputFlag(cmd *cobra.Command, output *app.Format) {
	*output = app.Table
	cmd.Flags().VarP(config.NewChoice(output, bundleFormats[:]), "output", "o", "form of the answer")
}

func (c *cli) bundleCheck() *cobra.Command {
	var opts app.BundleOptions
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Say what a bundle holds, or all that is wrong with it",
		Long: `Check loads the policies of files, folders or standard input (-), or without any the shipped bundle,
as every other command does, and tells every problem with its file, line and column. Problems make
the exit code 1.`,
		Example: `  holdfast bundle check policies/
  holdfast bundle check -o json policies/ more/policy.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			if err := opts.Packs.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.BundleCheck(cmd.Context(), opts, c.streams))
		},
	}
	outputFlag(cmd, &opts.Output)
	packFlags(cmd, &opts.Packs)
	return cmd
}

func (c *cli) bundleDigest() *cobra.Command {
	var opts app.BundleOptions
	cmd := &cobra.Command{
		Use:   "digest [PATH...]",
		Short: "Write the digest that names a bundle",
		Long: `Digest writes the SHA-256 that names what the policies say: of files, folders or standard input (-),
or without any of the shipped bundle.`,
		Example: `  holdfast bundle digest
  holdfast bundle digest policies/`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			if err := opts.Packs.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.BundleDigest(cmd.Context(), opts, c.streams))
		},
	}
	outputFlag(cmd, &opts.Output)
	packFlags(cmd, &opts.Packs)
	return cmd
}

func (c *cli) bundlePacks() *cobra.Command {
	var opts app.BundleOptions
	cmd := &cobra.Command{
		Use:   "packs [PATH...]",
		Short: "List a bundle's packs, their policies and what can be set in them",
		Long: `Packs lists which packs the policies of files, folders or standard input (-) belong to, or without any
those of the shipped bundle, how far each goes with the flags or the configuration given, and the
parameters of policies with their values.`,
		Example: `  holdfast bundle packs
  holdfast bundle packs --pack baseline=enforce --policy disallow-host-ports=audit`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			if err := opts.Packs.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.BundlePacks(cmd.Context(), opts, c.streams))
		},
	}
	outputFlag(cmd, &opts.Output)
	packFlags(cmd, &opts.Packs)
	return cmd
}

func (c *cli) bundleDiff() *cobra.Command {
	var opts app.DiffOptions
	cmd := &cobra.Command{
		Use:   "diff [FROM] TO",
		Short: "Say what differs between two bundles",
		Long: `Diff lists the policies, rules and fields that differ from one bundle to another; with one path, from
the shipped bundle. Differences make the exit code 1.`,
		Example: `  holdfast bundle diff before/ after/
  holdfast bundle diff policies/
  git show main:policy.yaml | holdfast bundle diff - policy.yaml`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.To = args[len(args)-1]
			if len(args) == 2 {
				opts.From = args[0]
			}
			return c.done(app.BundleDiff(cmd.Context(), opts, c.streams))
		},
	}
	outputFlag(cmd, &opts.Output)
	return cmd
}
