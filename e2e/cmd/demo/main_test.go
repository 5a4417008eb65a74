package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// The demo checks every answer of its story itself. This runs it, and looks at what somebody without a terminal sees.
func TestTheStoryComesOutAsTold(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &screen{w: &out}, endAtOnce); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"=> refused", "owner=platform-team is not in the file", "reported against default-owner",
		"$ kubectl patch deployment/checkout -n shop --type=json", "=> the report was clean",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story does not say %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("there are colours where there is no terminal")
	}
}

func TestAnUnexpectedAnswerIsAnError(t *testing.T) {
	s := &story{screen: &screen{w: os.Stderr}}
	err := s.expect("pod/miner created", nil, "denied the request")
	const want = `unexpected answer: it does not say "denied the request"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
