package clitest

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Source of all shapes here: https://kyverno.io/docs/kyverno-cli/reference/kyverno_test/ and the
// resource definitions of the group cli.kyverno.io; fields that are marked old are those of test files from
// before Kyverno 1.10, which its CLI reads no more.

// testFile is one test.
type testFile struct {
	header               `json:",inline"`
	Name                 string               `json:"name"` // old: metadata.name
	Policies             []string             `json:"policies"`
	Resources            []string             `json:"resources"`
	TargetResources      []string             `json:"targetResources"`
	ClusterResources     []string             `json:"clusterResources"`
	ParamResources       []string             `json:"paramResources"`
	JSONPayload          string               `json:"jsonPayload"` // old: jsonPayloads
	JSONPayloads         []string             `json:"jsonPayloads"`
	HTTPPayloads         []string             `json:"httpPayloads"`
	EnvoyPayloads        []string             `json:"envoyPayloads"`
	Variables            string               `json:"variables"` // a file of values
	Values               *values              `json:"values"`
	UserInfo             string               `json:"userinfo"`
	Exceptions           []string             `json:"exceptions"`
	Context              string               `json:"context"`
	APICallResponses     []apiCallResponse    `json:"apiCallResponses"`
	GlobalContextEntries []globalContextEntry `json:"globalContextEntries"`
	Results              []result             `json:"results"`
}

// header is what every document of the group cli.kyverno.io begins with; older ones have none of it.
type header struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
}

// result is one expectation, about one or several resources.
type result struct {
	Policy                      string         `json:"policy"`
	Rule                        string         `json:"rule"`
	Kind                        string         `json:"kind"`
	Namespace                   string         `json:"namespace"` // old: resources: [namespace/name]
	Resource                    string         `json:"resource"`  // old: resources
	Resources                   []string       `json:"resources"`
	ResourceSpecs               []resourceSpec `json:"resourceSpecs"`
	Operation                   string         `json:"operation"`
	Result                      string         `json:"result"`
	Status                      string         `json:"status"`          // old: result
	PatchedResource             string         `json:"patchedResource"` // old: patchedResources
	PatchedResources            string         `json:"patchedResources"`
	GeneratedResource           string         `json:"generatedResource"`
	GeneratedResources          []string       `json:"generatedResources"`
	CloneSourceResource         string         `json:"cloneSourceResource"`
	FailOnMissingResources      bool           `json:"failOnMissingResources"`
	IsValidatingAdmissionPolicy bool           `json:"isValidatingAdmissionPolicy"`
	IsMutatingAdmissionPolicy   bool           `json:"isMutatingAdmissionPolicy"`
	IsValidatingPolicy          bool           `json:"isValidatingPolicy"`
	IsDeletingPolicy            bool           `json:"isDeletingPolicy"`
	IsImageValidatingPolicy     bool           `json:"isImageValidatingPolicy"`
	IsGeneratingPolicy          bool           `json:"isGeneratingPolicy"`
	IsMutatingPolicy            bool           `json:"isMutatingPolicy"`

	index int // among the file's results
}

// want is the verdict that is expected.
func (r *result) want() string {
	if r.Result != "" {
		return r.Result
	}
	return r.Status
}

// resourceSpec names a resource with its group and version.
type resourceSpec struct {
	Group       string `json:"group"`
	Version     string `json:"version"`
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Subresource string `json:"subresource"`
	Name        string `json:"name"`
}

// values stand in for what policies would look up.
type values struct {
	GlobalValues       map[string]any      `json:"globalValues"`
	Policies           []policyValues      `json:"policies"`
	NamespaceSelectors []namespaceSelector `json:"namespaceSelector"`
	Namespaces         []corev1.Namespace  `json:"namespaces"`
	Subresources       []subresource       `json:"subresources"`
}

// valuesFile is the file of the field variables.
type valuesFile struct {
	header `json:",inline"`
	values `json:",inline"`
}

type policyValues struct {
	Name      string           `json:"name"`
	Resources []resourceValues `json:"resources"`
	Rules     []ruleValues     `json:"rules"`
}

type resourceValues struct {
	Name   string         `json:"name"`
	Values map[string]any `json:"values"`
}

type ruleValues struct {
	Name          string           `json:"name"`
	Values        map[string]any   `json:"values"`
	ForeachValues map[string][]any `json:"foreachValues"`
}

type namespaceSelector struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

// subresource says of which resource's part a kind is: Scale of Deployment.
type subresource struct {
	Subresource    metav1.APIResource `json:"subresource"`
	ParentResource metav1.APIResource `json:"parentResource"`
}

// userInfoFile is the file of the field userinfo.
type userInfoFile struct {
	header       `json:",inline"`
	Roles        []string                  `json:"roles"`
	ClusterRoles []string                  `json:"clusterRoles"`
	UserInfo     authenticationv1.UserInfo `json:"userInfo"`
	DryRun       bool                      `json:"synchronize"`
}

// contextFile is the file of the field context.
type contextFile struct {
	header `json:",inline"`
	Spec   struct {
		Resources []map[string]any `json:"resources"`
		Images    []imageData      `json:"images"`
	} `json:"spec"`
}

// imageData is what a registry would say of an image.
type imageData struct {
	Image         string `json:"image"`
	ResolvedImage string `json:"resolvedImage"`
	Registry      string `json:"registry"`
	Repository    string `json:"repository"`
	Tag           string `json:"tag"`
	Digest        string `json:"digest"`
	ImageIndex    any    `json:"imageIndex"`
	Manifest      any    `json:"manifest"`
	ConfigData    any    `json:"config"`
}

// clusterFile is a file of the field clusterResources.
type clusterFile struct {
	header `json:",inline"`
	Spec   struct {
		CRDs      []string         `json:"crds"`
		Resources []map[string]any `json:"resources"`
	} `json:"spec"`
}

// apiCallResponse answers one call of a policy.
type apiCallResponse struct {
	URL      string `json:"url"`
	URLPath  string `json:"urlPath"`
	Method   string `json:"method"` // GET, POST or both if empty
	Response struct {
		StatusCode int `json:"statusCode"` // 200 if not given
		Body       any `json:"body"`
	} `json:"response"`
}

// globalContextEntry gives the value of a GlobalContextEntry, by one of data, resources and resourceFiles.
type globalContextEntry struct {
	Name          string           `json:"name"`
	Data          any              `json:"data"`
	Resources     []map[string]any `json:"resources"`
	ResourceFiles []string         `json:"resourceFiles"`
	FieldPath     string           `json:"fieldPath"` // a JMESPath over the value
	Projections   []projection     `json:"projections"`
}

type projection struct {
	Name string `json:"name"`
	Path string `json:"path"` // a JMESPath over what FieldPath gives
}
