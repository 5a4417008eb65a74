package app

import (
	"io"
	"log/slog"

	"github.com/holdfast-io/holdfast/report"
)

// Exit is the exit code of a command.
type Exit int

// The exit codes of every command.
const (
	// Clean means that all was looked at and nothing found.
	Clean Exit = 0
	// Findings means that there are findings, differences or failed tests.
	Findings Exit = 1
	// Failed means that the command could not do all that was asked.
	Failed Exit = 2
)

// IO is how a command meets the outside.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	// Width is the width of the terminal that Out is, in characters; 0 when it is none.
	Width int
	// Colour says whether tables on Out are coloured.
	Colour report.Colour
	// Progress says that Err is a terminal, where progress can be shown.
	Progress bool
	Log      *slog.Logger
}
