// Command scale measures holdfast's audit on a control plane that it starts: it loads objects, has them swept, changes
// some at a rate, applies policies and restarts holdfast. It prints what each phase took of CPU, memory, requests and
// time, and ends with 1 when something that must cost nothing did not.
//
//	scale -objects 10000 -rate 50
//
// HOLDFAST_BENCH_POLICIES names files and folders of policies, as in the benchmarks of the engine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/holdfast-io/holdfast/e2e/scale"
)

// policiesVariable is the one of the benchmarks of the engine.
const policiesVariable = "HOLDFAST_BENCH_POLICIES"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errBroken):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(2)
	}
}

// errBroken says that something cost what must cost nothing; the result tells what.
var errBroken = errors.New("not all is as it should be")

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return fmt.Sprint([]string(*l)) }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// run prints the result to stdout, and everything about the way there to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	options := scale.Options{Progress: stderr, Policies: filepath.SplitList(os.Getenv(policiesVariable))}
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&options.Objects, "objects", 0, "make up so `many` objects (default 10000)")
	flags.Uint64Var(&options.Seed, "seed", 1, "make up those of this `seed`")
	flags.StringVar(&options.File, "file", "", "take the objects from this `file`, YAML or .jsonl, in the place of made-up ones")
	flags.StringVar(&options.Binary, "holdfast", "", "measure this `program` (default: that of this clone, which is built)")
	var policies, env, serve list
	flags.Var(&policies, "bundle", "`file` or folder of policies, repeatable (default $"+policiesVariable+", else the shipped bundle)")
	flags.IntVar(&options.Rate, "rate", 0, "so many writes a `second` (default 50)")
	flags.DurationVar(&options.Changes, "changes", 0, "write for this `time` (default 30s)")
	flags.BoolVar(&options.KeepPolicies, "keep-policies", false, "leave out the phases that apply a policy, which has all reports written anew")
	flags.StringVar(&options.Profiles, "profiles", "", "`folder` for profiles of holdfast in each phase")
	flags.Var(&env, "env", "`NAME=VALUE` for holdfast's environment, repeatable")
	flags.Var(&serve, "serve-arg", "further `argument` of holdfast serve, repeatable")
	output := flags.String("o", "table", "write a `table` or json")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *output != "table" && *output != "json":
		return fmt.Errorf("-o %q: expected table or json", *output)
	}
	if len(policies) > 0 {
		options.Policies = policies
	}
	options.Env, options.Args = env, serve
	result, err := scale.Run(ctx, options)
	if result == nil {
		return err
	}
	if printed := write(result, *output, stdout); printed != nil {
		return errors.Join(err, printed)
	}
	if err == nil && len(result.Broken) > 0 {
		return errBroken
	}
	return err
}

func write(result *scale.Result, output string, w io.Writer) error {
	if output == "table" {
		return result.Print(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(result); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
