package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// client posts spans to a collector. It is our own because OpenTelemetry's has gRPC in it, whatever it speaks: 3.4 MB of a
// program that uses gRPC for nothing else.
type client struct {
	address string
	headers map[string]string
	http    *http.Client
	first   time.Duration // the wait before a second attempt; it doubles
	ended   context.Context
	end     context.CancelFunc
}

// answerTimeout is how long a collector may take for one answer; they put spans into a queue, too.
const answerTimeout = 10 * time.Second

func newClient(o *Options) (*client, error) {
	address, err := o.address()
	if err != nil {
		return nil, err
	}
	headers, err := o.headers()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the collector's CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the collector's CA: %s has no certificate in PEM", o.CAFile)
		}
	}
	c := &client{address: address, headers: headers, first: time.Second, http: &http.Client{
		Timeout: answerTimeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
			// One batch is sent at a time.
			MaxIdleConns: 1, IdleConnTimeout: 90 * time.Second,
		},
		// The headers are for the collector, and for nobody whom it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.ended, c.end = context.WithCancel(context.Background())
	return c, nil
}

// Start implements otlptrace.Client: there is no connection to make before there are spans.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// rejected is how many spans of a batch the collector did not take.
type rejected struct {
	spans int64
	why   string
}

func (r rejected) Error() string {
	return fmt.Sprintf("the collector did not take %d spans: %s", r.spans, r.why)
}

// UploadTraces implements otlptrace.Client. It tries again until ctx ends as long as the collector may yet come back. The
// error is a rejected if it took a part.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(c.ended, stop)()
	// The request of the service has the same fields, in a package that brings gRPC along.
	raw, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	_, err = zip.Write(raw)
	if err := errors.Join(err, zip.Close()); err != nil {
		return fmt.Errorf("compressing spans: %w", err)
	}
	for wait := c.first; ; wait *= 2 {
		asked, err := c.post(ctx, body.Bytes())
		if err == nil || asked < 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(wait, asked)):
		}
	}
}

// maxAnswerBytes is far above a sentence, which is all that a collector has to say.
const maxAnswerBytes = 64 << 10

// post sends a batch once. With an error, again is how long the collector asks to be left alone before the next attempt; it
// is negative if there is to be none.
func (c *client) post(ctx context.Context, body []byte) (again time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading the collector's answer: %w", err)
	case resp.StatusCode == http.StatusOK:
		return -1, partial(answer)
	}
	err = fmt.Errorf("the collector at %s answers %s", c.address, resp.Status)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // none, and a date, is none
		return max(0, time.Duration(seconds)*time.Second), err
	default:
		return -1, err
	}
}

// partial finds out of an answer whether the collector took all spans.
// Source: ExportTraceServiceResponse in opentelemetry/proto/collector/trace/v1/trace_service.proto
func partial(answer []byte) error {
	const partialSuccess, rejectedSpans, errorMessage = 1, 1, 2
	inner, _ := protowire.ConsumeBytes(field(answer, partialSuccess))
	count, n := protowire.ConsumeVarint(field(inner, rejectedSpans))
	if n < 0 || count == 0 {
		return nil // all, or all and a remark
	}
	text, _ := protowire.ConsumeBytes(field(inner, errorMessage))
	return rejected{int64(min(count, 1<<31)), string(text)} //nolint:gosec // bounded
}

// field gives what stands from the value of a field on, with its length if it has one; nothing if there is none.
func field(message []byte, want protowire.Number) []byte {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		if number == want {
			return message
		}
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}
