package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// guides are the documents whose commands are run, each in a folder of its own.
func guides() []string { return []string{"../../docs/migrate.md"} }

// TestGuidesRunAsWritten runs the sh blocks of a guide one after the other. A block of another language that follows one,
// without a heading between them, is what it prints.
func TestGuidesRunAsWritten(t *testing.T) {
	for _, path := range guides() {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		commands := ""
		for _, block := range blocks(string(text)) {
			if block.language != "sh" {
				if commands == "" {
					t.Fatalf("%s: nothing prints\n%s", path, block.text)
				}
				if got := shell(t, dir, commands); got != block.text {
					t.Errorf("%s: %s\nprints\n%s\nand not\n%s", path, commands, got, block.text)
				}
				commands = ""
				continue
			}
			if commands != "" {
				shell(t, dir, commands)
			}
			commands = block.text
		}
		if commands != "" {
			shell(t, dir, commands)
		}
	}
}

// shell runs commands and gives what they print. Exit codes 0 and 1, of findings, are both as they should be.
func shell(t *testing.T, dir, commands string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", commands)
	cmd.Dir = dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != exitFindings {
		t.Errorf("%s\n%v: %s", commands, err, complaints.String())
	}
	return string(out)
}

// exitFindings is the exit code of findings.
const exitFindings = 1

type block struct{ language, text string }

// blocks gives the fenced blocks of a text in Markdown.
func blocks(text string) []block {
	var out []block
	for i, part := range strings.Split("\n"+text, "\n```") {
		if i%2 == 0 {
			continue
		}
		language, content, _ := strings.Cut(part, "\n")
		out = append(out, block{language, content + "\n"})
	}
	return out
}
