package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
)

// decisions are the commands that decide about Remediations.
func (c *cli) decisions() []*cobra.Command {
	return []*cobra.Command{
		c.decide(app.VerbApprove, "Approve plans, so that they are carried out", `Approve lets a Remediation of mode approve be carried out, as soon as its gates let it pass. It takes the verb "approve" on
remediations.holdfast.dev. Who approves, and when, is written by Holdfast's webhook, from the request.`, `  # what is there to be approved, and what it would change
  holdfast plan --cluster

  holdfast approve no-privileged-containers-1a2b3c4d5e --reason "looks right"

  # for two hours alone
  holdfast approve no-privileged-containers-1a2b3c4d5e --for 2h`),
		c.decide(app.VerbReject, "Reject plans, so that they are not carried out", `Reject ends a Remediation that has not begun. It takes the verb "approve" on remediations.holdfast.dev.

A rejection stands: the same plan is not proposed again until the object, the rule or what it finds is another. To have it proposed
again, delete the Remediation.`,
			`  holdfast reject no-privileged-containers-1a2b3c4d5e --reason "the team mends it in its repository"`),
		c.decide(app.VerbPause, "Pause Remediations between two objects, or stop everything", `Pause stops a Remediation between two objects until it is resumed. With --everything nothing of any Remediation is changed,
within a second and after every restart: it makes the ConfigMap holdfast-stop in Holdfast's namespace.`, `  holdfast pause no-privileged-containers-1a2b3c4d5e

  # the kill switch
  holdfast pause --everything --reason "an outage"`),
		c.decide(app.VerbResume, "Let Remediations go on, or everything", `Resume lets a Remediation go on that was paused. It takes the verb "approve" on remediations.holdfast.dev. With --everything it
releases the kill switch.`, `  holdfast resume no-privileged-containers-1a2b3c4d5e
  holdfast resume --everything`),
		c.decide(app.VerbRollback, "Ask for what was done to be undone", `Rollback asks for the objects of a Remediation to be put back as they were, as far as nobody has changed them since. It takes
the verb "approve" on remediations.holdfast.dev.`, `  holdfast rollback no-privileged-containers-1a2b3c4d5e --reason "the shop is down"

  # one object alone, by its UID
  holdfast rollback no-privileged-containers-1a2b3c4d5e --target 5b2c8a52-6f3a-4a5b-9d57-0d1f1f5e7b1c`),
	}
}

func (c *cli) decide(verb app.Verb, short, long, example string) *cobra.Command {
	opts := app.DecideOptions{Verb: verb, Namespace: app.DefaultServeOptions().Namespace}
	cmd := &cobra.Command{
		Use: string(verb) + " NAME...", Short: short, Long: long, Example: example, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Names, opts.Version = args, buildInfo().Version
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.Decide(cmd.Context(), opts, c.streams))
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			streams := c.streams
			streams.Log = c.logger()
			return app.CompleteRemediations(cmd.Context(), opts, streams), cobra.ShellCompDirectiveNoFileComp
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Kubeconfig, "kubeconfig", "", "`FILE` that leads to the cluster (default: $KUBECONFIG or ~/.kube/config)")
	switch verb {
	case app.VerbApprove:
		flags.DurationVar(&opts.Lasts, "for", 0, "`DURATION` for which the approval counts (default: as long as serve says)")
	case app.VerbPause, app.VerbResume:
		flags.BoolVar(&opts.Everything, "everything", false, "in the place of names: the kill switch")
		flags.StringVar(&opts.Namespace, "namespace", opts.Namespace, "`NAMESPACE` of Holdfast, for --everything")
	case app.VerbRollback:
		flags.StringSliceVar(&opts.Targets, "target", nil, "`UID` of an object to be put back (repeatable; default: all)")
	}
	if verb != app.VerbResume {
		flags.StringVar(&opts.Reason, "reason", "", "`TEXT` for those who read it later")
	}
	return cmd
}
