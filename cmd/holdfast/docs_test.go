package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast-io/holdfast/app/config"
)

// TestTheReferenceIsUpToDate holds docs/cli.md to what the commands say of themselves. With -update it
// writes it anew.
func TestTheReferenceIsUpToDate(t *testing.T) {
	const path = "../../docs/cli.md"
	c := &cli{}
	root := c.root()
	got := reference(root)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/cli.md is not what the commands say: run go test ./cmd/holdfast -update")
	}
}

// reference writes all commands as Markdown.
func reference(root *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Command line\n\nWritten by the commands themselves: `go test ./cmd/holdfast -update`.\n")
	walk(root, func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Hidden {
			return
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", cmd.CommandPath(), cmd.Short)
		if cmd.Long != "" {
			fmt.Fprintf(&b, "\n%s\n", cmd.Long)
		}
		fmt.Fprintf(&b, "\n```\n%s\n```\n", cmd.UseLine())
		if cmd.Example != "" {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", unindent(cmd.Example))
		}
		flags := cmd.NonInheritedFlags()
		if flags.HasFlags() {
			fmt.Fprintf(&b, "\n| flag | value | default | environment | |\n|---|---|---|---|---|\n")
			flags.VisitAll(func(f *pflag.Flag) { b.WriteString(flagRow(f)) })
		}
	})
	return b.Bytes()
}

func flagRow(f *pflag.Flag) string {
	if f.Name == "help" {
		return ""
	}
	name := "`--" + f.Name + "`"
	if f.Shorthand != "" {
		name += ", `-" + f.Shorthand + "`"
	}
	kind, usage := pflag.UnquoteUsage(f)
	env := "`" + config.Env(f.Name) + "`"
	if f.Name == "print-config" || config.IsOnce(f) {
		env = ""
	}
	value := f.DefValue
	if value == "[]" {
		value = ""
	}
	if value != "" {
		value = "`" + value + "`"
	}
	if kind != "" {
		kind = "`" + strings.ReplaceAll(kind, "|", "\\|") + "`"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", name, kind, value, env, usage)
}

func unindent(text string) string {
	return strings.TrimSpace(strings.ReplaceAll("\n"+text, "\n  ", "\n"))
}
