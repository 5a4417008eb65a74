package ledger

// columns are by what an entry is searched. A nil is not there.
type columns struct {
	at         int64
	kind       string
	objectKind *string
	objectName *string
	namespace  *string
	uid        *string
	policyKind *string
	policy     *string
	rule       *string
	actor      *string
	remedy     *string
}

func columnsOf(e *Entry) columns {
	return columns{
		at: e.Time.UnixMicro(), kind: string(e.Kind),
		objectKind: optional(e.Object.Kind), objectName: optional(e.Object.Name), namespace: optional(e.Object.Namespace), uid: optional(e.Object.UID),
		policyKind: optional(e.Policy.Kind), policy: optional(e.Policy.Name), rule: optional(e.Policy.Rule),
		actor: optional(e.Actor.name()), remedy: optional(e.Remediation),
	}
}

// texts are those that may be missing, in the order of the table.
func (c *columns) texts() []*string {
	return []*string{c.objectKind, c.objectName, c.namespace, c.uid, c.policyKind, c.policy, c.rule, c.actor, c.remedy}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
