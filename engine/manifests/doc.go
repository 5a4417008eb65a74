// Package manifests judges objects that were signed as YAML: validate.manifests of Kyverno's policy language.
// Public keys and the fields that may differ come in at load; an object comes in at evaluation, with the signed
// manifest and its signatures in annotations; what goes out says whether enough keys signed it, and whether the
// object is as signed. It asks nobody: what needs a registry, a key service, a transparency log or the API server
// is an error, never a pass. Nothing of a manifest is parsed before a signature of it is verified.
//
// Sources: https://kyverno.io/docs/policy-types/cluster-policy/validate/#manifest-validation and
// https://github.com/sigstore/k8s-manifest-sigstore (the format).
package manifests
