package controlplane

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// AuditRequests is the audit policy that records who asked for what, and the answer's code, without bodies.
const AuditRequests = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// auditLog is the name of kube-apiserver's audit log in the directory.
const auditLog = "audit.log"

// AuditLogPath is kube-apiserver's audit log, one JSON event a line, where Options.AuditPolicy asks for one.
func (cp *ControlPlane) AuditLogPath() string { return cp.site.file(auditLog) }

// AuditEvents reads the audit log. A request is in it before its answer reaches the client.
func (cp *ControlPlane) AuditEvents() ([]auditv1.Event, error) {
	if cp.site.options.AuditPolicy == "" {
		return nil, fmt.Errorf("read the audit log: %w", errNoAudit)
	}
	data, err := os.ReadFile(cp.AuditLogPath())
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var events []auditv1.Event
	lines := bytes.Split(data, []byte("\n"))
	// What follows the last line break is empty, or an event that is being written.
	for i, line := range lines[:len(lines)-1] {
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("read line %d of the audit log: %w", i+1, err)
		}
		events = append(events, event)
	}
	return events, nil
}
