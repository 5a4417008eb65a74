package lookup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxAnswer is the longest answer of a call, twice what a page of 500 small objects takes. It is decoded and held
	// for the length of a request.
	maxAnswer = 2 << 20
	// maxComplaint is how much of an answer that is an error is read, and firstLine how much of it is told.
	maxComplaint = 16 << 10
	firstLine    = 160
)

// encode writes the body of a call as JSON.
func encode(body any) (io.Reader, error) {
	if body == nil {
		return http.NoBody, nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("the body cannot be written as JSON: %w", err)
	}
	return bytes.NewReader(text), nil
}

// decode reads the answer: a JSON value, in the engine's model. who answers is for errors, which tell the status and
// the first line of an answer that is none, and nothing of headers.
func decode(response *http.Response, who string) (any, error) {
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxComplaint)) // what can be read of it
		said := complaint(text)
		if said != "" {
			said = ": " + said
		}
		return nil, fmt.Errorf("%s answers %s%s", who, status(response), said)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case len(text) > maxAnswer:
		return nil, tooLargef("the answer of %s is longer than %s, the limit of a look-up", who, megabytes(maxAnswer))
	case err != nil:
		return nil, fmt.Errorf("reading the answer of %s: %w", who, err)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, fmt.Errorf("%s answers %s without a body: expected JSON", who, status(response))
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("%s answers %s with what is not JSON: %s", who, status(response), complaint(text))
	}
	return value, nil
}

// status is the status line of a response, of which the reason is the code's: a server can write anything there.
func status(response *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode)))
}

// complaint is what an answer says in one line: the message of a Kubernetes Status, or the first line.
func complaint(text []byte) string {
	var s metav1.Status
	if json.Unmarshal(text, &s) == nil && s.Kind == "Status" && s.Message != "" {
		text = []byte(s.Message)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line)
	if short := []rune(line); len(short) > firstLine {
		return string(short[:firstLine]) + "..."
	}
	return line
}

// withoutURL leaves out of an error of an HTTP client the URL, whose query may hold what a request said.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
