// Package webhook stands at the admission door. AdmissionReviews of the API server flow in over HTTP; out
// flow their answers, decided by the engine on the snapshot of the moment: allowed with a patch and
// warnings, denied with the rules that say no, or settled by the policy's failurePolicy where a rule could
// not be evaluated. It also writes the two webhook configurations through which the API server finds it,
// and keeps them as the bundle needs them.
//
// It never waits for the auditor, a report or a ledger, never writes anything but those configurations, and
// decodes no object that no rule looks at. Its memory and time are bounded: what comes in beyond the bounds
// is answered at once, by the failurePolicy. DESIGN.md tells how policies are grouped, and why.
package webhook
