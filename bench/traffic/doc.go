// Package traffic is what admission is measured with: policies and objects of files flow in, AdmissionReviews as an API
// server sends them go to a webhook, by a call or over TLS, and what they cost comes out. It has two webhooks ready: ours
// as serve has it, without a cluster, and the floor to measure from, which decodes and allows. It never looks at which
// verdict is right.
package traffic
