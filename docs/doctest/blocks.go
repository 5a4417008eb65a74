package doctest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The words behind sh. Plain blocks have none.
const (
	Plain   = ""
	Cluster = "cluster"
	ByHand  = "by-hand"
)

// Block is a fenced block of a document.
type Block struct {
	// Line is where its fence stands, from 1.
	Line int
	// Heading is the nearest above it.
	Heading string
	// Language and Mark are the words of the fence.
	Language, Mark string
	Text           string
}

// Blocks gives the fenced blocks of a document in order. A fence may be indented, as in a list; the block then is without
// that indent.
func Blocks(document string) ([]Block, error) {
	var out []Block
	heading := ""
	var open *Block
	fence, indent := "", 0
	for i, line := range strings.Split(document, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case open == nil && strings.HasPrefix(trimmed, "```"):
			info := strings.TrimLeft(trimmed, "`")
			fence, indent = strings.TrimSuffix(trimmed, info), len(line)-len(trimmed)
			words := append(strings.Fields(info), "", "", "") // so that there are three
			open = &Block{Line: i + 1, Heading: heading, Language: words[0], Mark: words[1]}
			if words[2] != "" || open.Language == "sh" && !slices.Contains([]string{Plain, Cluster, ByHand}, open.Mark) {
				return nil, fmt.Errorf("line %d: %q: expected sh, and behind it %s, %s or nothing", i+1, info, Cluster, ByHand)
			}
		case open != nil && trimmed == fence:
			out, open = append(out, *open), nil
		case open != nil:
			open.Text += line[min(indent, len(line)-len(trimmed)):] + "\n"
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block has no end", open.Line)
	}
	return out, nil
}

// Step is a block of commands.
type Step struct {
	Block
	// Prints is what it prints; nil where the document does not say.
	Prints *string
}

// Steps gives the blocks of commands with that mark, in order.
func Steps(document, mark string) ([]Step, error) {
	blocks, err := Blocks(document)
	if err != nil {
		return nil, err
	}
	var out []Step
	for i := range blocks {
		b := blocks[i]
		if b.Language != "sh" || b.Mark != mark {
			continue
		}
		step := Step{Block: b}
		if i+1 < len(blocks) && blocks[i+1].Language == "" && blocks[i+1].Heading == b.Heading {
			step.Prints = &blocks[i+1].Text
		}
		out = append(out, step)
	}
	return out, nil
}

// printed reports whether the output is what the document says.
func printed(document, output string) bool {
	var pattern strings.Builder
	pattern.WriteString("^")
	for line := range strings.Lines(document) {
		if strings.TrimSpace(line) == "..." {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), regexp.QuoteMeta("..."), ".*"))
	}
	pattern.WriteString("$")
	return regexp.MustCompile(pattern.String()).MatchString(output)
}
