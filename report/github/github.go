// Package github writes annotations as GitHub Actions takes them from the log of a job: workflow commands, one in a line,
// that it shows beside the lines of the files of a change. Annotations come in. It knows nothing of what was judged.
//
// Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
package github

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Level is how grave an annotation is.
type Level string

// The levels that GitHub has.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Notice  Level = "notice"
)

// Annotation is one remark.
type Annotation struct {
	Level Level
	// File is relative to the root of the repository; empty for a remark without a place. Line and Column count from 1; 0 is
	// unknown.
	File         string
	Line, Column int
	Title        string
	Message      string
}

// Write writes the annotations and then, as a plain line of the log, the summary.
func Write(w io.Writer, annotations []Annotation, summary string) error {
	out := bufio.NewWriter(w) // it keeps the first error for Flush
	for i := range annotations {
		_, _ = out.WriteString(annotations[i].command() + "\n")
	}
	_, _ = out.WriteString(plain(summary) + "\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing annotations: %w", err)
	}
	return nil
}

// command writes the annotation as the runner reads it.
func (a *Annotation) command() string {
	var properties []string
	add := func(name, value string) {
		properties = append(properties, name+"="+propertyEscapes.Replace(plain(value)))
	}
	if a.File != "" {
		add("file", a.File)
		if a.Line > 0 {
			add("line", fmt.Sprint(a.Line))
			if a.Column > 0 {
				add("col", fmt.Sprint(a.Column))
			}
		}
	}
	if a.Title != "" {
		add("title", a.Title)
	}
	command := "::" + string(a.Level)
	if len(properties) > 0 {
		command += " " + strings.Join(properties, ",")
	}
	return command + "::" + messageEscapes.Replace(plain(a.Message))
}

// What ends a property or a message would begin another: names come from manifests.
var (
	messageEscapes  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// plain takes out what a log must not see but line breaks, which the escapes keep.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
