package scale

import (
	"context"
	"fmt"
	"io"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// samples are metrics as they were at one time.
type samples map[string]*dto.MetricFamily

func readSamples(r io.Reader) (samples, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return families, nil
}

// each gives the metrics of a name with their labels and values. Histograms have none.
func (s samples) each(name string, f func(labels map[string]string, value float64)) {
	for _, m := range s[name].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		f(labels, m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetUntyped().GetValue())
	}
}

// sum adds up all metrics of a name.
func (s samples) sum(name string) (total float64) {
	s.each(name, func(_ map[string]string, value float64) { total += value })
	return total
}

// fetch reads metrics over HTTP.
func fetch(ctx context.Context, url string) (samples, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask for metrics: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity") // to compress them costs more than all else of a scrape
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for metrics: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // what was read of it was read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for metrics: %s answers %s", url, resp.Status)
	}
	return readSamples(resp.Body)
}
