package engine

// evaluationMode says what a policy is evaluated on, in the words of spec.evaluation.mode.
type evaluationMode string

// The modes. Kubernetes is for objects of a cluster and requests about them, and is the mode of a policy that does not say;
// JSON for any JSON value. HTTP and Envoy are for the requests of an authorization server.
const (
	modeKubernetes evaluationMode = "Kubernetes"
	modeJSON       evaluationMode = "JSON"
	modeHTTP       evaluationMode = "HTTP"
	modeEnvoy      evaluationMode = "Envoy"
)
