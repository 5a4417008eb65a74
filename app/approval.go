package app

import (
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/webhook"
)

// approvalSecret keeps the key by which approvals are stamped, in the program's own namespace.
const approvalSecret = "holdfast-approval-key"

// ApprovalOptions say what an approval of a Remediation takes.
type ApprovalOptions struct {
	// Lasts is how long one counts. Default: 24 h, in which every window of a day comes once.
	Lasts time.Duration
	// NotByAuthor demands that whoever approves is not the one who edited the policy last. Default: false, because where
	// policies come from files nobody knows who that is, and nothing could be approved.
	NotByAuthor bool
}

// DefaultApprovalOptions gives the defaults.
func DefaultApprovalOptions() ApprovalOptions {
	return ApprovalOptions{Lasts: approval.DefaultLasts}
}

// longestApproval is a month: the world that somebody has looked at is another by then.
const longestApproval = 31 * 24 * time.Hour

// Validate names the first option that cannot be used, by its flag.
func (o *ApprovalOptions) Validate() error {
	if o.Lasts < time.Minute || o.Lasts > longestApproval {
		return fmt.Errorf("--approval-lasts %s: expected 1m to 744h", o.Lasts)
	}
	return nil
}

// approvalKeys is where the key of approvals is: in a Secret that replicas share or, outside of a cluster, in a file.
func (o *ServeOptions) approvalKeys(clients *cluster) approval.Keys {
	if o.WebhookURL != "" && o.StateDir != "" {
		return approval.FileKeys{Path: filepath.Join(o.StateDir, "approval.key")}
	}
	return &approval.SecretKeys{Client: clients.kube.CoreV1().Secrets(o.Namespace), Name: approvalSecret, Now: time.Now}
}

// stamps makes what stamps approvals.
func (o *ServeOptions) stamps(p admissionParts) (http.Handler, error) {
	opts := approval.Options{
		Access: approval.Reviews{Client: p.clients.kube.AuthorizationV1().SubjectAccessReviews()},
		Keys:   o.approvalKeys(p.clients), Lasts: o.Approvals.Lasts, Refused: p.record.decisionRefused, Logger: p.streams.Log, Metrics: p.metrics, Tracer: p.tracer,
	}
	if o.Approvals.NotByAuthor {
		opts.Authors = authors{client: p.clients.dynamic, served: p.served, writes: p.seen, record: p.record}
	}
	return approval.NewHandler(opts)
}

// stampGuard has the API server ask for stamps.
func stampGuard() webhook.Guard {
	return webhook.Guard{Name: "approvals", Path: approval.Path, Resource: v1alpha1.Remediations(), Condition: approval.Condition}
}
