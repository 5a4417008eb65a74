package jmesfn

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"go.yaml.in/yaml/v2"
)

// What CEL has under other names: the same work with the same bounds.

// RandomText makes a string that a POSIX regular expression matches, out of the source's bytes.
func RandomText(pattern string, source io.Reader) (string, error) {
	compiled, err := compileGenerator(pattern)
	if err != nil {
		return "", fmt.Errorf("the pattern %w", err)
	}
	g, ok := compiled.(*generator)
	if !ok {
		return "", errors.New("the pattern makes nothing")
	}
	w, err := newWriter(source)
	if err != nil {
		return "", err
	}
	if !g.write(w) {
		return "", checkString(MaxString + 1)
	}
	return w.String(), nil
}

func newWriter(source io.Reader) (*writer, error) {
	var seed [32]byte
	if _, err := io.ReadFull(source, seed[:]); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	return &writer{rand: rand.New(rand.NewChaCha8(seed)), steps: MaxString}, nil
}

// ParseYAML reads the first YAML document of a text, as YAML 1.1 has it, into a JSON value.
func ParseYAML(text string) (any, error) {
	if len(text) > MaxString {
		return nil, fmt.Errorf("the text is longer than %d bytes: %w", MaxString, ErrTooLarge)
	}
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return nil, fmt.Errorf("the text is no valid YAML%s", position(err))
	}
	value, err := (&converter{budget: MaxString}).toJSON(value)
	if err != nil {
		return nil, fmt.Errorf("the text %w", err)
	}
	return value, nil
}

// DecodeCertificate reads the first block of a PEM text, a certificate or a certificate request with an RSA key, into an
// object with the fields of Go's x509.Certificate or x509.CertificateRequest.
func DecodeCertificate(text string) (map[string]any, error) {
	object, err := decodeCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("the text %w", err)
	}
	return object, nil
}
