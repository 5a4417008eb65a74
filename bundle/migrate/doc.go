// Package migrate translates validate rules of Kyverno's ClusterPolicies and Policies into CEL policies of
// policies.kyverno.io, and proves the translations.
//
// A policy comes in as JSON values, with objects to try it on. Out come, rule by rule, the CEL policies that the rule
// became, or the reason why it stays as it is, with the place in the policy or with a request on which a translation was
// found to be wrong. A rule is translated whole or not at all.
//
// The proof runs the rule and its translation in the engine over requests on the given objects and on objects that are made
// from the rule's own text (one that passes, and others that differ from it in a field that fails, is absent or is empty):
// when they are created, updated, deleted, and at rest. The verdicts and the failure actions must be the same; a skip and
// silence are one. Objects of Kubernetes' own kinds are taken to have the shape that an API server lets in, so that
// expressions need not ask for the type of each field; in other objects any field may hold anything.
//
// The package reads no cluster and writes nothing. What it makes is the same for the same input.
package migrate
