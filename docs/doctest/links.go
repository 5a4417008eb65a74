package doctest

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Links says which links of the document at name lead nowhere: to a file that the tree does not have, or to a heading that
// a document does not have. Of links to other sites it looks at the form alone.
func Links(tree fs.FS, name string) ([]string, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	var problems []string
	for _, l := range linksOf(string(text)) {
		if problem := follow(tree, name, l.target); problem != "" {
			problems = append(problems, fmt.Sprintf("%s:%d: %s: %s", name, l.line, l.target, problem))
		}
	}
	return problems, nil
}

type link struct {
	line   int
	target string
}

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	inlineLink = regexp.MustCompile(`\]\(([^()\s]+(?:\([^()]*\))?[^()\s]*)\)`)
)

// linksOf finds the links outside of code.
func linksOf(document string) []link {
	var out []link
	for n, line := range prose(document) {
		for _, m := range inlineLink.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, ""), -1) {
			out = append(out, link{n, m[1]})
		}
	}
	return out
}

// prose gives the lines that are in no fenced block, with their numbers from 1.
func prose(document string) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		fenced := false
		for i, line := range strings.Split(document, "\n") {
			if strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
				fenced = !fenced
				continue
			}
			if !fenced && !yield(i+1, line) {
				return
			}
		}
	}
}

// follow says why a link leads nowhere, or "".
func follow(tree fs.FS, from, target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "is no address"
	}
	if u.Scheme != "" {
		if u.Scheme != "https" && u.Scheme != "mailto" || u.Scheme == "https" && u.Host == "" {
			return "expected https"
		}
		return ""
	}
	to := from
	if u.Path != "" {
		to = path.Join(path.Dir(from), u.Path)
	}
	info, err := fs.Stat(tree, to)
	if err != nil {
		return "there is no such file"
	}
	if u.Fragment == "" {
		return ""
	}
	if info.IsDir() || path.Ext(to) != ".md" {
		return "only a document has headings"
	}
	text, err := fs.ReadFile(tree, to)
	if err != nil {
		return err.Error()
	}
	if !slices.Contains(Anchors(string(text)), u.Fragment) {
		return "there is no such heading"
	}
	return ""
}

var explicitAnchor = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)

// Anchors are what the headings of a document can be linked by, as GitHub makes them.
func Anchors(document string) []string {
	var out []string
	seen := map[string]int{}
	for _, line := range prose(document) {
		for _, m := range explicitAnchor.FindAllStringSubmatch(line, -1) {
			out = append(out, m[1])
		}
		text := strings.TrimLeft(line, "#")
		if text == line || !strings.HasPrefix(text, " ") {
			continue
		}
		text = inlineLink.ReplaceAllString(text, "]")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(text))
		if n := seen[anchor]; n > 0 {
			out = append(out, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			out = append(out, anchor)
		}
		seen[anchor]++
	}
	return out
}
