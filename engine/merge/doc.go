// Package merge carries out an apply configuration: it merges the fields that somebody wants an object to have into the
// object, by the schema of the object's kind, as an API server does for a MutatingAdmissionPolicy.
//
// In flow an object and a configuration, as JSON values; out flows a new object, which shares with both what did not
// change. Neither is ever changed. Lists that the schema merges are merged by their keys, or as sets; of lists, maps and
// structs that are one value to it, none may stand in a configuration unless the caller allows it. A kind without a known
// schema (a custom resource) has maps that are merged; each of its lists is one value.
//
// The schemas are those of the Kubernetes libraries that we are built with. To read them takes some 60 ms and leaves under
// 1 MB: Types does it when it is first needed, once.
//
// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy and
// https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
package merge
