package jmesfn

import (
	"path"
	"strings"
	"unicode/utf8"
)

// stringFunctions work on text, character by character or as a whole.
var stringFunctions = []function{
	{Spec: Spec{
		Name: "compare", Args: []Arg{arg("a", String), arg("b", String)}, Returns: Number,
		Doc:      "Compares two strings byte by byte: -1 when a sorts before b, 1 when after, 0 when they are equal.",
		Examples: []Example{{Expr: "compare('a', 'b')", Result: "-1"}},
	}, impl: func(c *call) (any, error) {
		return float64(strings.Compare(c.string(0), c.string(1))), nil
	}},
	{Spec: Spec{
		Name: "equal_fold", Args: []Arg{arg("a", String), arg("b", String)}, Returns: Boolean,
		Doc:      "Tells whether two strings are equal when case is ignored.",
		Examples: []Example{{Expr: "equal_fold('Go', 'GO')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		return strings.EqualFold(c.string(0), c.string(1)), nil
	}},
	{Spec: Spec{
		Name: "starts_with", Args: []Arg{arg("subject", String), arg("prefix", String)}, Returns: Boolean, Standard: true,
		Doc:      "Tells whether a string begins with another.",
		Examples: []Example{{Expr: "starts_with('kube-system', 'kube-')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		return strings.HasPrefix(c.string(0), c.string(1)), nil
	}},
	{Spec: Spec{
		Name: "ends_with", Args: []Arg{arg("subject", String), arg("suffix", String)}, Returns: Boolean, Standard: true,
		Doc:      "Tells whether a string ends with another.",
		Examples: []Example{{Expr: "ends_with('app:latest', ':latest')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		return strings.HasSuffix(c.string(0), c.string(1)), nil
	}},
	{Spec: Spec{
		Name: "to_upper", Args: []Arg{arg("text", String)}, Returns: String,
		Doc:      "Turns every letter into its upper case form.",
		Examples: []Example{{Expr: "to_upper('abc-1')", Result: `"ABC-1"`}},
	}, impl: func(c *call) (any, error) {
		return c.made(strings.ToUpper(c.string(0)))
	}},
	{Spec: Spec{
		Name: "to_lower", Args: []Arg{arg("text", String)}, Returns: String,
		Doc:      "Turns every letter into its lower case form.",
		Examples: []Example{{Expr: "to_lower('ABC-1')", Result: `"abc-1"`}},
	}, impl: func(c *call) (any, error) {
		return c.made(strings.ToLower(c.string(0)))
	}},
	{Spec: Spec{
		Name: "trim", Args: []Arg{arg("text", String), arg("characters", String)}, Returns: String,
		Doc:      "Removes from both ends of a string every character that occurs in the second one.",
		Examples: []Example{{Expr: "trim('--a-b--', '-')", Result: `"a-b"`}},
	}, impl: func(c *call) (any, error) {
		return strings.Trim(c.string(0), c.string(1)), nil
	}},
	{Spec: Spec{
		Name: "trim_prefix", Args: []Arg{arg("text", String), arg("prefix", String)}, Returns: String,
		Doc:      "Removes the prefix from a string that begins with it, once.",
		Examples: []Example{{Expr: "trim_prefix('v1.2', 'v')", Result: `"1.2"`}},
	}, impl: func(c *call) (any, error) {
		return strings.TrimPrefix(c.string(0), c.string(1)), nil
	}},
	{Spec: Spec{
		Name: "truncate", Args: []Arg{arg("text", String), arg("length", Number)}, Returns: String,
		Doc:      "Cuts a string to at most so many characters. A length below one gives the empty string; a fraction is dropped.",
		Examples: []Example{{Expr: "truncate('deployment', `6`)", Result: `"deploy"`}},
	}, impl: truncate},
	{Spec: Spec{
		Name:     "replace",
		Args:     []Arg{arg("text", String), arg("old", String), arg("new", String), arg("count", Number)},
		Returns:  String,
		Doc:      "Replaces the first count occurrences of old by new; all of them when count is negative.",
		Examples: []Example{{Expr: "replace('a-a-a', 'a', 'b', `2`)", Result: `"b-b-a"`}},
	}, impl: func(c *call) (any, error) {
		return replace(c, c.number(3))
	}},
	{Spec: Spec{
		Name: "replace_all", Args: []Arg{arg("text", String), arg("old", String), arg("new", String)}, Returns: String,
		Doc:      "Replaces every occurrence of old by new.",
		Examples: []Example{{Expr: "replace_all('a.b.c', '.', '-')", Result: `"a-b-c"`}},
	}, impl: func(c *call) (any, error) {
		return replace(c, -1)
	}},
	{Spec: Spec{
		Name: "split", Args: []Arg{arg("text", String), arg("separator", String)}, Returns: Array,
		Doc:      "Cuts a string wherever the separator stands. An empty separator cuts after every character.",
		Examples: []Example{{Expr: "split('a,b,c', ',')", Result: `["a","b","c"]`}},
	}, impl: split},
	{Spec: Spec{
		Name: "join", Args: []Arg{arg("separator", String), listOf("parts", String)}, Returns: String, Standard: true,
		Doc:      "Puts strings together with a separator between them.",
		Examples: []Example{{Expr: "join('/', ['a', 'b'])", Result: `"a/b"`}},
	}, impl: join},
	{Spec: Spec{
		Name: "path_canonicalize", Args: []Arg{arg("path", String)}, Returns: String,
		Doc:      "Gives the shortest form of a slash-separated path: no doubled slashes, no `.` and no `..` that can be resolved.",
		Examples: []Example{{Expr: "path_canonicalize('/var//run/../lib/')", Result: `"/var/lib"`}},
	}, impl: func(c *call) (any, error) {
		return path.Join(c.string(0)), nil
	}},
}

func truncate(c *call) (any, error) {
	text, left := c.string(0), c.number(1)
	for i := range text {
		if left < 1 {
			return text[:i], nil
		}
		left--
	}
	return text, nil
}

func replace(c *call, count float64) (any, error) {
	text, from, to := c.string(0), c.string(1), c.string(2)
	found := strings.Count(text, from)
	n := found
	if count >= 0 && count < float64(found) {
		n = int(count)
	}
	if err := checkString(len(text) + n*(len(to)-len(from))); err != nil {
		return nil, c.errorf("%w", err)
	}
	return strings.Replace(text, from, to, n), nil
}

func split(c *call) (any, error) {
	text, separator := c.string(0), c.string(1)
	count := strings.Count(text, separator) + 1
	if separator == "" {
		count = utf8.RuneCountInString(text)
	}
	if err := c.items(count); err != nil {
		return nil, err
	}
	parts := strings.Split(text, separator)
	list := make([]any, len(parts))
	for i, part := range parts {
		list[i] = part
	}
	return list, nil
}

func join(c *call) (any, error) {
	separator, list := c.string(0), c.list(1)
	if len(list) == 0 {
		return "", nil
	}
	size := len(separator) * (len(list) - 1)
	parts := make([]string, len(list))
	for i, item := range list {
		parts[i] = item.(string)
		size += len(parts[i])
	}
	if err := checkString(size); err != nil {
		return nil, c.errorf("%w", err)
	}
	return strings.Join(parts, separator), nil
}
