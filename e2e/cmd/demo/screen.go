package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// screen prints the story: coloured on a terminal, plain elsewhere.
type screen struct {
	w       io.Writer
	colours bool
	number  int
}

func newScreen(f *os.File) *screen {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	return &screen{w: f, colours: terminal}
}

// The colours, as ANSI codes.
const (
	bold  = "1"
	faint = "2"
	green = "32"
	cyan  = "36"
)

// line prints one line. There is nobody to tell of a terminal that is gone.
func (s *screen) line(colour, text string) {
	if s.colours && text != "" {
		text = "\x1b[" + colour + "m" + text + "\x1b[0m"
	}
	_, _ = fmt.Fprintln(s.w, text)
}

func (s *screen) chapter(title string) {
	s.number++
	s.line(bold, "")
	s.line(bold, fmt.Sprintf("%d. %s", s.number, title))
}

func (s *screen) command(text string) { s.line(cyan, "   $ "+text) }

// quote prints what a program or a file says.
func (s *screen) quote(text string) {
	for line := range strings.Lines(text) {
		s.line(faint, "     "+strings.TrimRight(line, "\n"))
	}
}

func (s *screen) say(format string, args ...any) { s.line("0", "   "+fmt.Sprintf(format, args...)) }

// good prints what came out as it should.
func (s *screen) good(format string, args ...any) {
	s.line(green, "   => "+fmt.Sprintf(format, args...))
}

// seconds gives a time as the story tells it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
