package doctest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Shell runs commands of documents in a folder, with an environment.
type Shell struct {
	Dir string
	Env []string // NAME=VALUE; nil for that of the program
	// Findings says that exit code 1 is as it should be: that of a command that found what it looked for.
	Findings Tolerance
}

// Tolerance says which exit codes are none of a failure.
type Tolerance int

// None but 0; and 1, that of findings, too.
const (
	Strict Tolerance = iota
	Findings
)

// blockTime bounds a block. The longest, on a busy machine with a control plane, takes a minute.
const blockTime = 5 * time.Minute

// Run runs a step and says what went otherwise than the document says; nil if all is as it says.
func (s *Shell) Run(ctx context.Context, step *Step) error {
	ctx, cancel := context.WithTimeout(ctx, blockTime)
	defer cancel()
	strict := "set -eo pipefail\n"
	if s.Findings == Findings || step.Prints != nil { // what is refused is printed, and was to be
		strict = "trap 'code=$?; [ $code -eq 1 ] || exit $code' ERR\n"
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", strict+step.Text)
	cmd.Dir, cmd.Env = s.Dir, s.Env
	output, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 && (s.Findings == Findings || step.Prints != nil) {
		err = nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("line %d: %s\n%w: %s", step.Line, step.Text, err, output)
	case step.Prints != nil && !printed(*step.Prints, string(output)):
		return fmt.Errorf("line %d: %s\nprints\n%s\nand not\n%s", step.Line, step.Text, output, *step.Prints)
	}
	return nil
}

// Environment is env with some variables set anew.
func Environment(env []string, set map[string]string) []string {
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if _, ok := set[name]; !ok {
			out = append(out, v)
		}
	}
	for name, value := range set {
		out = append(out, name+"="+value)
	}
	return out
}
