package mutate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// pointer is a JSON Pointer (RFC 6901) taken apart: the unescaped keys and indexes. The empty one is the
// whole document.
type pointer []string

var unescapeStep = strings.NewReplacer("~1", "/", "~0", "~")

func parsePointer(s string) (pointer, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, fmt.Errorf("%q does not begin with a slash", s)
	}
	steps := strings.Split(s[1:], "/")
	for i, step := range steps {
		if strings.IndexByte(step, '~') >= 0 {
			steps[i] = unescapeStep.Replace(step)
		}
	}
	return steps, nil
}

// checkTarget refuses the whole object as the target of a policy's operation, as Kyverno does.
func checkTarget(p pointer) error {
	if len(p) == 0 {
		return errors.New("the whole object cannot be the target of an operation")
	}
	return nil
}

// escapeStep writes a key as a step of a pointer.
func escapeStep(key string) string {
	if strings.ContainsAny(key, "~/") {
		return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
	}
	return key
}

var errIndex = errors.New("is no index of the list")

// index reads a step as the index of a list. To Kyverno and to an API server -1 stands for the last element.
func (r rules) index(step string, length int) (int, error) {
	i, err := strconv.Atoi(step)
	if err != nil {
		return 0, fmt.Errorf("%q %w", step, errIndex)
	}
	if i < 0 && r != strictRules {
		i += length
	}
	if i < 0 || i >= length {
		return 0, fmt.Errorf("%s %w, which has %d elements", step, errIndex, length)
	}
	return i, nil
}
