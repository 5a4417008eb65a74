package traffic

import (
	"bytes"
	"net/http"
	"testing"
	"time"
)

// Called sends reviews to a handler by a call, one after the other, without a connection: from bytes to bytes. Beside
// time and allocations it reports the CPU time of the process, the collector's included, as cpu-ns/op, which others on
// the machine disturb less; and which part of the answers refused.
func Called(b *testing.B, h http.Handler, path string, reviews [][]byte) {
	b.Helper()
	r, err := http.NewRequest(http.MethodPost, path+"?timeout=10s", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	content := &body{}
	r.Body = content
	w := &answer{header: http.Header{}}
	answerTo := func(review []byte) {
		content.Reset(review)
		r.ContentLength = int64(len(review))
		w.Reset()
		h.ServeHTTP(w, r)
	}
	answerTo(reviews[0]) // what is made once for all requests is made with the first
	refused, i := 0, 0
	b.ReportAllocs()
	before, err := cpuTime()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		answerTo(reviews[i%len(reviews)])
		i++
		if !bytes.Contains(w.Bytes(), []byte(`"allowed":`)) {
			b.Fatalf("the answer to review %d is no AdmissionReview: %s", i, w)
		}
		if bytes.Contains(w.Bytes(), []byte(`"allowed":false`)) {
			refused++
		}
	}
	after, err := cpuTime()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((after-before)/time.Nanosecond)/float64(i), "cpu-ns/op")
	b.ReportMetric(float64(refused)/float64(i), "refused/op")
}

// body is a request's body that can be filled again.
type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

// answer is a ResponseWriter that keeps what was written last.
type answer struct {
	bytes.Buffer
	header http.Header
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(int)     {}
