// Package act carries out Remediations. Those of the cluster come in, with what people ask of them; writes of the objects
// that they name go out, intents and outcomes into a Journal, and where each stands into its status.
//
// It does nothing that no Remediation says: a plan whose target has changed is not carried out, however small the change.
// It asks Gates before each write, and overwrites nothing that others have written since it looked. What it knows stands in
// the status and nowhere else, so that every step may be run twice, by this process or by the next: next.go says which step
// follows from which status. It never approves, and makes no plans.
package act
