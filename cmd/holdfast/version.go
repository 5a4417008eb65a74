package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/holdfast-io/holdfast/app"
)

// Set by the linker: -ldflags "-X main.version=v1.2.3 -X main.commit=...". Without it the answer comes from
// what the Go tool noted in the binary.
var version, commit string

// build is what the binary says of itself.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildInfo() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if ok && b.Commit == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	if b.Commit == "" {
		b.Commit = "unknown"
	}
	return b
}

func (c *cli) version() *cobra.Command {
	var output app.Format
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Write the version of the program",
		Example: `  holdfast version
  holdfast version -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := buildInfo()
			var err error
			if output == app.JSON {
				enc := json.NewEncoder(c.streams.Out)
				enc.SetIndent("", "  ")
				err = enc.Encode(b)
			} else {
				_, err = fmt.Fprintf(c.streams.Out, "holdfast %s (commit %s, %s, %s)\n", b.Version, b.Commit, b.Go, b.Platform)
			}
			if err != nil {
				return fmt.Errorf("writing the version: %w", err)
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
