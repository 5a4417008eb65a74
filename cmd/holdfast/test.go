package main

import (
	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
	"github.com/holdfast-io/holdfast/app/config"
)

func (c *cli) test() *cobra.Command {
	opts := app.TestOptions{Output: app.Table}
	cmd := &cobra.Command{
		Use:   "test PATH...",
		Short: "Run test files of policies",
		Long: `Test runs the test files of the Kyverno CLI (cli.kyverno.io/v1alpha1 Test) as they are: each file names
policies, resources and the results that it wants. Folders are searched for files called
kyverno-test.yaml.

A case passes if the verdict is the one that the file wants. It fails too if the file names a policy, a
rule or a resource that is not there. It is skipped, with the reason, if its policy uses what is not
built or if the file names a URL. Nothing is asked of a cluster or of the network: values, userinfo,
clusterResources, context, apiCallResponses and globalContextEntries of the test answer in their place.

Exit codes: 0 nothing failed, 1 tests failed, 2 a test file cannot be read or there is none.`,
		Example: `  # run all tests below a folder
  holdfast test policies/

  # one policy's cases only, and only what fails
  holdfast test policies/ --run '^require-run-as-non-root/' --fail-only

  # for a CI server
  holdfast test policies/ -o junit > tests.xml

  # run them again at each change, while you write a policy
  holdfast test policies/require-run-as-non-root --watch`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			opts.Version = buildInfo().Version
			if err := opts.Validate(); err != nil {
				return &usageError{cmd.CommandPath(), err}
			}
			return c.done(app.Test(cmd.Context(), opts, c.streams))
		},
	}
	flags := cmd.Flags()
	flags.VarP(config.NewChoice(&opts.Output, app.TestFormats()), "output", "o", "form of the answer")
	flags.StringVarP(&opts.FileName, "file-name", "f", app.TestFileName, "what test files are called in folders (`NAME`)")
	flags.BoolVar(&opts.OnlyFailed, "fail-only", false, "leave out what passed or was skipped")
	flags.StringVar(&opts.Run, "run", "", "run only cases whose policy/rule/resource matches this `REGEX`")
	parameterFlag(cmd, &opts.Parameters)
	config.Once(flags, "parameter") // those of the configuration are the bundle's
	flags.BoolVar(&opts.Watch, "watch", false, "run again whenever one of the files changes")
	return cmd
}
