// Package report says what the rules found, in PolicyReport's words: engine decisions flow in, Results
// with a Summary and a Coverage flow out, as a table, JSON, YAML, SARIF, JUnit or annotations. The command line
// and the reports in a cluster are made of the same Results, so that they say the same.
//
// A Writer keeps the results in a cluster, as reports of wgpolicyk8s.io or openreports.io, per object or per namespace;
// nothing else in a cluster is written.
//
// The package never judges, and the values of Secrets never leave it.
package report
