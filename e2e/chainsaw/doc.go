// Package chainsaw runs tests in the format of Chainsaw (chainsaw.kyverno.io/v1alpha1 Test) against a cluster, as far as
// libraries of policies use it: the operations apply, create, assert, error, patch, delete, sleep and script.
//
// Folders with chainsaw-test.yaml flow in; out flows, for each, that it passed, where and why it failed, or why it was
// skipped. What the package does not understand is a reason to skip a test and never to pass it. It imports nothing of the
// product: it acts on the cluster as a user would.
// Source of the format: https://kyverno.github.io/chainsaw/
package chainsaw
