package config

import (
	"fmt"
	"slices"
	"strings"
)

// Choice is a flag that takes one of some words.
type Choice[T ~string] struct {
	into    *T
	allowed []T
}

// NewChoice makes a flag's value that writes into the variable, which holds the default.
func NewChoice[T ~string](into *T, allowed []T) *Choice[T] { return &Choice[T]{into, allowed} }

// String is the value in force.
func (c *Choice[T]) String() string {
	if c.into == nil {
		return ""
	}
	return string(*c.into)
}

// Set takes one of the words.
func (c *Choice[T]) Set(word string) error {
	if !slices.Contains(c.allowed, T(word)) {
		return fmt.Errorf("unknown value %q: expected %s", word, oneOf(c.allowed))
	}
	*c.into = T(word)
	return nil
}

// Type names the value in a flag's help.
func (c *Choice[T]) Type() string { return strings.Join(c.Words(), "|") }

// Words lists what the flag takes.
func (c *Choice[T]) Words() []string {
	words := make([]string, len(c.allowed))
	for i, w := range c.allowed {
		words[i] = string(w)
	}
	return words
}

func oneOf[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
