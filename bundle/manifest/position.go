package manifest

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is a place in a file. Line and Column count from 1; Line 0 means the file as a whole.
type Position struct {
	File         string
	Line, Column int
}

// String writes file:line:column, or the file alone.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// Error is what keeps a document, or a whole file, from being read.
type Error struct {
	Position
	// Message says what is wrong and what was expected.
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Position, e.Message) }

// FindPath translates the written form of a path into the keys and indexes of the value that it leads
// into. Parts are divided by / or by dots, list indexes are parts of their own or stand in brackets:
// /spec/containers/0/image/, spec.containers[0].image. Keys that contain a divider are found because the
// value has them; a JSON pointer's ~1 and ~0 are understood. Where the path leads beyond the value, the
// answer is the part that exists.
func FindPath(value any, path string) []any {
	if strings.HasPrefix(path, "/") {
		path = strings.NewReplacer("~1", "/", "~0", "~").Replace(path)
	}
	var found []any
	for {
		path = strings.TrimLeft(path, "/.[]")
		switch at := value.(type) {
		case map[string]any:
			key, ok := longestKey(at, path)
			if !ok {
				return found
			}
			found, value, path = append(found, key), at[key], path[len(key):]
		case []any:
			end := strings.IndexAny(path, "/.[]")
			if end < 0 {
				end = len(path)
			}
			i, err := strconv.Atoi(path[:end])
			if err != nil || i < 0 || i >= len(at) {
				return found
			}
			found, value, path = append(found, i), at[i], path[end:]
		default:
			return found
		}
	}
}

// longestKey finds the longest key of the object that the path starts with and that a divider or the end
// follows.
func longestKey(object map[string]any, path string) (string, bool) {
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], "/.[]") {
		if _, ok := object[path[:end]]; ok {
			return path[:end], true
		}
	}
	return "", false
}
