// Package podsecurity judges Pods, and whatever makes Pods, by the Kubernetes Pod Security Standards:
// validate.podSecurity of Kyverno's policy language. A level with exclusions comes in at load; an object
// and the exclusions of matching policy exceptions come in at evaluation; what goes out says which
// controls refuse the object, at which fields. Whether a control refuses a Pod is asked of Kubernetes'
// own library, never decided here. It keeps nothing between evaluations and changes no object.
//
// Sources: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and
// https://kyverno.io/docs/policy-types/cluster-policy/validate/#pod-security
package podsecurity
