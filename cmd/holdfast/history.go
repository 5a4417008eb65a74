package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) history() *cobra.Command {
	opts := app.HistoryOptions{Limit: 50, Output: app.Table}
	cmd := &cobra.Command{
		Use:   "history [KIND/NAME]",
		Short: "Show what was decided and done, from the ledger",
		Long: `History shows what serve has recorded, the newest first: refused writes, findings that opened and closed,
changes of policies, and what was done to objects, with the intent before each. It reads the ledger
while serve goes on writing to it.

In a cluster each replica has a file of its own, unless all of them write to one PostgreSQL database:
run it in a Pod (kubectl exec), where the configuration says where the ledger is.`,
		Example: `  # what happened to a Deployment
  holdfast history Deployment/web -n shop --state-dir state/

  # what a policy refused today, in a cluster
  kubectl -n holdfast exec deploy/holdfast -- holdfast history --policy disallow-privileged-containers --kind denied --since 24h

  # what somebody did, as JSON, from a database
  HOLDFAST_LEDGER_DSN=postgres://holdfast@db/holdfast holdfast history --actor ana@example.com -o json

  # as it happens
  holdfast history --state-dir state/ --follow`,
		Args: cobra.MaximumNArgs(1),
		RunE: c.asking(&opts, app.History),
	}
	placeFlags(cmd, &opts.Place)
	filterFlags(cmd, &opts)
	flags := cmd.Flags()
	flags.IntVar(&opts.Limit, "limit", opts.Limit, "show this `NUMBER` of entries at most; 0 for all")
	flags.BoolVarP(&opts.Follow, "follow", "f", false, "show the newest last, and what is recorded from now on")
	flags.VarP(config.NewChoice(&opts.Output, app.HistoryFormats()), "output", "o", "form of the answer")
	config.Once(flags, "follow")
	cmd.AddCommand(c.historyVerify(), c.historyExport(), c.historyPrune())
	return cmd
}

// placeFlags adds the flags that lead to a ledger.
func placeFlags(cmd *cobra.Command, p *app.LedgerPlace) {
	cmd.Flags().StringVar(&p.StateDir, "state-dir", "", "state `FOLDER` of serve")
	cmd.Flags().StringVar(&p.DSNFile, "ledger-dsn-file", "", "`FILE` with the DSN of a PostgreSQL database (or "+app.LedgerDSNVariable+" in the environment)")
}

// filterFlags adds the flags that pick entries.
func filterFlags(cmd *cobra.Command, o *app.HistoryOptions) {
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "only of objects in this `NAMESPACE`")
	flags.StringVar(&o.Policy, "policy", "", "only of the policy of this `NAME` (NAMESPACE/NAME where it has one)")
	flags.StringVar(&o.Rule, "rule", "", "only of the rule of this `NAME`")
	flags.StringVar(&o.Actor, "actor", "", "only of this `USER`, or field manager where no user is known")
	flags.StringVar(&o.Remediation, "remediation", "", "only of the remediation of this `NAME`")
	flags.StringSliceVar(&o.Kinds, "kind", nil, "only these `KINDS` of entries")
	flags.StringVar(&o.Since, "since", "", "only from this `TIME` on, or so long ago (24h)")
	flags.StringVar(&o.Until, "until", "", "only before this `TIME`, or so long ago")
	config.Once(flags, "namespace", "policy", "rule", "actor", "remediation", "kind", "since", "until")
	// The error says that there is no such flag.
	_ = cmd.RegisterFlagCompletionFunc("kind", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return app.LedgerKinds(), cobra.ShellCompDirectiveNoFileComp
	})
}

func (c *cli) historyVerify() *cobra.Command {
	opts := app.VerifyOptions{Output: app.Table}
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Prove that nobody has changed the ledger",
		Long: `Verify follows the chain of hashes through the whole ledger, or through FILE: an export (- for standard
input), or a ledger's file that was put aside. It names the first entry that was changed, taken out, put in
or cut off, or cannot be read. Then the exit code is 1.

Somebody who may write to the ledger can write it anew up to its end. --anchor holds it to an end that
was kept elsewhere: serve logs one every hour.`,
		Example: `  holdfast history verify --state-dir state/
  holdfast history verify --state-dir state/ --anchor 1041:5f2c...
  holdfast history verify ledger.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.File = args[0]
			}
			opts.Place.DSN = os.Getenv(app.LedgerDSNVariable)
			return c.done(app.HistoryVerify(cmd.Context(), opts, c.streams))
		},
	}
	placeFlags(cmd, &opts.Place)
	cmd.Flags().StringArrayVar(&opts.Anchors, "anchor", nil, "`SEQ:HASH` that the chain must have (repeatable)")
	config.Once(cmd.Flags(), "anchor")
	cmd.Flags().VarP(config.NewChoice(&opts.Output, []app.Format{app.Table, app.JSON}), "output", "o", "form of the answer")
	return cmd
}

func (c *cli) historyExport() *cobra.Command {
	opts := app.HistoryOptions{Output: app.JSONL}
	cmd := &cobra.Command{
		Use:   "export [KIND/NAME]",
		Short: "Write the ledger out, the oldest entries first",
		Long: `Export writes all entries, or those that the flags pick, to standard output. As jsonl, the default, each
line is an entry with its hash and that of the entry before: holdfast history verify FILE proves it
without the ledger, as long as no entry is left out between the first and the last.`,
		Example: `  holdfast history export --state-dir state/ > ledger.jsonl
  holdfast history export --state-dir state/ --kind denied --since 720h -o csv > denied.csv`,
		Args: cobra.MaximumNArgs(1),
		RunE: c.asking(&opts, app.HistoryExport),
	}
	placeFlags(cmd, &opts.Place)
	filterFlags(cmd, &opts)
	cmd.Flags().VarP(config.NewChoice(&opts.Output, app.ExportFormats()), "output", "o", "form of the export")
	return cmd
}

func (c *cli) historyPrune() *cobra.Command {
	opts := app.PruneOptions{}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Cut old entries off the ledger",
		Long: `Prune cuts off the oldest entries, and records that it did: what is left verifies. Serve does so by itself
(--ledger-retention, --ledger-max-size), and keeps others from writing to its file as long as it runs.`,
		Example: `  holdfast history export --state-dir state/ > old.jsonl
  holdfast history prune --state-dir state/ --older-than 2160h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Place.DSN = os.Getenv(app.LedgerDSNVariable)
			return c.done(app.HistoryPrune(cmd.Context(), opts, c.streams))
		},
	}
	placeFlags(cmd, &opts.Place)
	cmd.Flags().DurationVar(&opts.OlderThan, "older-than", 0, "`AGE` beyond which entries go")
	config.Once(cmd.Flags(), "older-than")
	return cmd
}

// asking gives what the two commands do that ask the ledger for entries: the object may stand as their argument.
func (c *cli) asking(opts *app.HistoryOptions, ask func(context.Context, app.HistoryOptions, app.IO) (app.Exit, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			opts.Object = args[0]
		}
		opts.Place.DSN = os.Getenv(app.LedgerDSNVariable)
		if err := opts.Validate(); err != nil {
			return &usageError{cmd.CommandPath(), err}
		}
		return c.done(ask(cmd.Context(), *opts, c.streams))
	}
}
