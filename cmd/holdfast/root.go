package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

// cli is one run of the program: what the subcommands share.
type cli struct {
	streams  app.IO
	exit     app.Exit
	file     string // --config
	logLevel logLevel
	format   logFormat
	values   []config.Value // where the flags' values come from
}

// logLevel and logFormat are the words of --log-level and --log-format.
type (
	logLevel  string
	logFormat string
)

const (
	levelDebug logLevel = "debug"
	levelInfo  logLevel = "info"
	levelWarn  logLevel = "warn"
	levelError logLevel = "error"

	formatText logFormat = "text"
	formatJSON logFormat = "json"
)

// usageError is a mistake on the command line: it is followed by where help is to be had.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// execute runs a command line.
func execute(ctx context.Context, args []string, streams app.IO) app.Exit {
	c := &cli{streams: streams}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return c.exit
	}
	// Nothing can be told of an error while telling errors.
	var wrong *app.BundleError
	var usage *usageError
	switch {
	case errors.As(err, &wrong):
		_, _ = fmt.Fprintf(streams.Err, "%s\nholdfast: the bundle cannot be loaded\n", err)
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(streams.Err, "holdfast: %s\nRun '%s --help' for usage.\n", err, usage.command)
	default:
		_, _ = fmt.Fprintf(streams.Err, "holdfast: %s\n", err)
	}
	return app.Failed
}

// root is the command tree.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "holdfast",
		Short: "Find, refuse and mend what Kubernetes policies forbid",
		Long: `Holdfast judges Kubernetes objects by one bundle of policies (Kyverno's language), on files, at
admission and in a running cluster, with the same verdict everywhere.

Every flag can also be given as an environment variable (--log-level is HOLDFAST_LOG_LEVEL; commas
divide lists) and as a key of the same name in the YAML file of --config (log-level: debug). The
command line wins over the environment, the environment over the file.

Exit codes: 0 all was looked at and nothing found, 1 findings, 2 the command could not do all that
was asked.`,
		Example: `  holdfast audit deploy/
  kubectl get deploy,sts -A -o yaml | holdfast audit -
  holdfast bundle check policies/`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              noCommand,
		PersistentPreRunE: c.prepare,
		RunE:              help,
	}
	c.logLevel, c.format = levelInfo, formatText
	flags := root.PersistentFlags()
	flags.StringVar(&c.file, config.Flag, "", "read flags that are not given from this YAML `FILE`")
	flags.Var(config.NewChoice(&c.logLevel, []logLevel{levelDebug, levelInfo, levelWarn, levelError}), "log-level", "least important messages to log")
	flags.Var(config.NewChoice(&c.format, []logFormat{formatText, formatJSON}), "log-format", "form of the log, which goes to standard error")
	root.AddCommand(c.audit(), c.plan(), c.explain(), c.test(), c.bundle(), c.serve(app.Serve), c.status(), c.diagnose(), c.history(), c.version(), c.completion())
	root.AddCommand(c.decisions()...)
	c.finish(root)
	return root
}

// noCommand refuses the name of a command that is none, for a command that has only subcommands.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	if near := app.Nearest(args[0], names); near != "" {
		message += ": did you mean " + near + "?"
	}
	return errors.New(message)
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// finish gives every command what they have in common.
func (c *cli) finish(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{cmd.CommandPath(), err}
	})
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{cmd.CommandPath(), errors.New(strings.TrimSpace(err.Error()))}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		c.finish(sub)
	}
	completeChoices(cmd)
}

// completeChoices lets a shell complete the flags that take one of some words.
func completeChoices(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		choice, ok := f.Value.(interface{ Words() []string })
		if !ok || cmd.Flag(f.Name) == nil {
			return
		}
		// The error says that the flag has a function already, and then it is this one.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return choice.Words(), cobra.ShellCompDirectiveNoFileComp
		})
	})
}

// prepare fills in the flags and makes the logger.
func (c *cli) prepare(cmd *cobra.Command, _ []string) error {
	if cmd.Name() == completionName || strings.HasPrefix(cmd.Name(), "__") {
		return nil // a shell starts these
	}
	if name := config.Env(config.Flag); c.file == "" {
		c.file = os.Getenv(name)
	}
	var known []string
	walk(cmd.Root(), func(cmd *cobra.Command) { known = append(known, config.Keys(cmd.Flags())...) })
	known = append(known, config.Keys(cmd.Root().PersistentFlags())...)
	var err error
	c.values, err = config.Apply(cmd.Context(), cmd.Flags(), config.Options{File: c.file, Known: known, LookupEnv: os.LookupEnv})
	if err != nil {
		return err
	}
	c.streams.Log = c.logger()
	return nil
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}

func (c *cli) logger() *slog.Logger {
	var level slog.Level
	// The flag takes only words that slog knows.
	_ = level.UnmarshalText([]byte(c.logLevel))
	opts := &slog.HandlerOptions{Level: level}
	if c.format == formatJSON {
		return slog.New(slog.NewJSONHandler(c.streams.Err, opts))
	}
	return slog.New(slog.NewTextHandler(c.streams.Err, opts))
}

// done keeps the exit code of a command.
func (c *cli) done(exit app.Exit, err error) error {
	c.exit = exit
	return err
}
