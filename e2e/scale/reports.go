package scale

import (
	"context"
	"encoding/json"
	"fmt"
)

// weighReports counts the reports of the cluster and their bytes: custom resources are kept in etcd as the JSON in which
// they are sent.
func (r *rig) weighReports(ctx context.Context) (count int, bytes int64, err error) {
	for _, resource := range []string{reports.Resource, "cluster" + reports.Resource} {
		next := ""
		for again := true; again; again = next != "" {
			typ := reports
			typ.Resource = resource
			raw, err := r.client.Get().AbsPath(path(typ, "")).Param("limit", "500").Param("continue", next).Do(ctx).Raw()
			var page struct {
				Metadata struct{ Continue string }
				Items    []json.RawMessage
			}
			if err == nil {
				err = json.Unmarshal(raw, &page)
			}
			if err != nil {
				return 0, 0, fmt.Errorf("list %s: %w", resource, err)
			}
			for _, item := range page.Items {
				count++
				bytes += int64(len(item))
			}
			next = page.Metadata.Continue
		}
	}
	return count, bytes, nil
}
