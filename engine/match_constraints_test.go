package engine

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestMatchConstraints(t *testing.T) {
	const (
		pod     = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}"
		deploy  = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}"
		node    = "{apiVersion: v1, kind: Node, metadata: {name: a}}"
		shop    = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: blue}}}"
		ingress = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a, namespace: shop}}"
		endings = "{apiVersion: v1, kind: Endpoints, metadata: {name: a, namespace: shop}}"
		pods    = "apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods]"
		all     = "apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']"
	)
	rule := func(rule string) string { return "resourceRules: [{" + rule + "}]" }
	for name, c := range map[string]struct {
		constraints, object string
		sub, plural         string
		op                  Operation
		old                 string
		want                bool
	}{
		"a resource by its plural":                         {constraints: rule(pods), object: pod, want: true},
		"another resource":                                 {constraints: rule(pods), object: deploy},
		"the name of a kind is no resource":                {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [Pod]"), object: pod},
		"the name of one is no resource":                   {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pod]"), object: pod},
		"another group":                                    {constraints: rule("apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [pods]"), object: pod},
		"another version":                                  {constraints: rule("apiGroups: [''], apiVersions: [v2], operations: ['*'], resources: [pods]"), object: pod},
		"every group":                                      {constraints: rule("apiGroups: ['*'], apiVersions: [v1], operations: ['*'], resources: [deployments]"), object: deploy, want: true},
		"every version":                                    {constraints: rule("apiGroups: [apps], apiVersions: ['*'], operations: ['*'], resources: [deployments]"), object: deploy, want: true},
		"every resource":                                   {constraints: rule(all), object: ingress, want: true},
		"a wildcard in a name is none":                     {constraints: rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['po*']"), object: pod},
		"a wildcard in a group is none":                    {constraints: rule("apiGroups: ['app*'], apiVersions: ['*'], operations: ['*'], resources: [deployments]"), object: deploy},
		"a plural that ends in es":                         {constraints: rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [ingresses]"), object: ingress, want: true},
		"a kind that is its own plural":                    {constraints: rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [endpoints]"), object: endings, want: true},
		"the plural of the request counts":                 {constraints: rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [ingri]"), object: ingress, plural: "ingri", want: true},
		"a subresource by its name":                        {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods/exec]"), object: pod, sub: "exec", want: true},
		"the resource is none of its subresources":         {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods/exec]"), object: pod},
		"a subresource is not its resource":                {constraints: rule(pods), object: pod, sub: "status"},
		"ephemeral containers are a subresource":           {constraints: rule(pods), object: pod, sub: "ephemeralcontainers"},
		"every subresource, and the resource":              {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: ['pods/*']"), object: pod, want: true},
		"every subresource of a resource":                  {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: ['pods/*']"), object: pod, sub: "log", want: true},
		"one subresource of every resource":                {constraints: rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/scale']"), object: deploy, sub: "scale", want: true},
		"another subresource of every resource":            {constraints: rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/scale']"), object: deploy, sub: "status"},
		"a star is no subresource":                         {constraints: rule(all), object: deploy, sub: "scale"},
		"stars for all":                                    {constraints: rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*']"), object: deploy, sub: "scale", want: true},
		"an operation":                                     {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: [UPDATE, DELETE], resources: [pods]"), object: pod, op: Delete, want: true},
		"another operation":                                {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: [UPDATE, DELETE], resources: [pods]"), object: pod},
		"a name":                                           {constraints: rule(pods + ", resourceNames: [db, web]"), object: pod, want: true},
		"another name":                                     {constraints: rule(pods + ", resourceNames: [db]"), object: pod},
		"a wildcard in a resourceName is none":             {constraints: rule(pods + ", resourceNames: ['w*']"), object: pod},
		"a name to come, by its beginning":                 {constraints: rule(pods + ", resourceNames: [web]"), object: "{apiVersion: v1, kind: Pod, metadata: {generateName: web-}}", want: true},
		"another name to come":                             {constraints: rule(pods + ", resourceNames: [web-1]"), object: "{apiVersion: v1, kind: Pod, metadata: {generateName: web-}}"},
		"a scope":                                          {constraints: rule(all + ", scope: Namespaced"), object: pod, want: true},
		"the other scope":                                  {constraints: rule(all + ", scope: Cluster"), object: pod},
		"a scope of clusters":                              {constraints: rule(all + ", scope: Cluster"), object: node, want: true},
		"the other scope of clusters":                      {constraints: rule(all + ", scope: Namespaced"), object: node},
		"both scopes":                                      {constraints: rule(all + ", scope: '*'"), object: node, want: true},
		"a rule of several that selects":                   {constraints: "resourceRules: [{" + pods + ", resourceNames: [db]}, {" + all + "}]", object: pod, want: true},
		"an exclusion":                                     {constraints: rule(all) + ", excludeResourceRules: [{" + pods + "}]", object: pod},
		"an exclusion of others":                           {constraints: rule(all) + ", excludeResourceRules: [{" + pods + "}]", object: deploy, want: true},
		"an exclusion by operation":                        {constraints: rule(all) + ", excludeResourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [DELETE], resources: [pods]}]", object: pod, want: true},
		"an exclusion by name":                             {constraints: rule(all) + ", excludeResourceRules: [{" + pods + ", resourceNames: [web]}]", object: pod},
		"an exclusion is not narrowed by selectors":        {constraints: rule(all) + ", objectSelector: {matchLabels: {app: web}}, excludeResourceRules: [{" + pods + "}]", object: pod},
		"an objectSelector":                                {constraints: rule(pods) + ", objectSelector: {matchLabels: {app: web}}", object: pod, want: true},
		"an objectSelector of other labels":                {constraints: rule(pods) + ", objectSelector: {matchLabels: {app: db}}", object: pod},
		"an objectSelector by expression":                  {constraints: rule(pods) + ", objectSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}", object: pod, want: true},
		"an objectSelector for what has no label":          {constraints: rule(pods) + ", objectSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}", object: pod},
		"an empty objectSelector":                          {constraints: rule(pods) + ", objectSelector: {}", object: pod, want: true},
		"the labels that an object had":                    {constraints: rule(pods) + ", objectSelector: {matchLabels: {app: db}}", object: pod, op: Update, old: "{metadata: {labels: {app: db}}}", want: true},
		"the labels of neither":                            {constraints: rule(pods) + ", objectSelector: {matchLabels: {app: x}}", object: pod, op: Update, old: "{metadata: {labels: {app: db}}}"},
		"the labels of what goes":                          {constraints: rule(pods) + ", objectSelector: {matchLabels: {app: web}}", object: pod, op: Delete, want: true},
		"a namespaceSelector":                              {constraints: rule(pods) + ", namespaceSelector: {matchLabels: {team: blue}}", object: pod, want: true},
		"a namespaceSelector of others":                    {constraints: rule(pods) + ", namespaceSelector: {matchLabels: {team: red}}", object: pod},
		"a namespaceSelector leaves what is in none":       {constraints: rule(all) + ", namespaceSelector: {matchLabels: {team: red}}", object: node, want: true},
		"a Namespace is selected by its own labels":        {constraints: rule(all) + ", namespaceSelector: {matchLabels: {team: blue}}", object: shop, want: true},
		"another Namespace":                                {constraints: rule(all) + ", namespaceSelector: {matchLabels: {team: red}}", object: shop},
		"no resourceRules":                                 {constraints: "objectSelector: {matchLabels: {app: web}}", object: pod, want: true},
		"no resourceRules, of a subresource":               {constraints: "objectSelector: {}", object: pod, sub: "exec", want: true},
		"no resourceRules, and other labels":               {constraints: "objectSelector: {matchLabels: {app: x}}", object: pod},
		"no operations":                                    {constraints: rule("apiGroups: [''], apiVersions: [v1], resources: [pods]"), object: pod},
		"no groups":                                        {constraints: rule("apiVersions: [v1], operations: ['*'], resources: [pods]"), object: pod},
		"no versions":                                      {constraints: rule("apiGroups: [''], operations: ['*'], resources: [pods]"), object: pod},
		"no resources":                                     {constraints: rule("apiGroups: [''], apiVersions: [v1], operations: ['*']"), object: pod},
		"an exclusion without operations excludes nothing": {constraints: rule(pods) + ", excludeResourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [pods]}]", object: pod, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", withoutControllers+"matchConstraints: {"+c.constraints+"}, validations: [{expression: 'true'}]")
			req := asking(t, c.object)
			req.SubResource, req.Resource = c.sub, schema.GroupVersionResource{Resource: c.plural}
			if c.op != "" {
				req.Operation = c.op
			}
			if c.old != "" {
				req.OldObject = object(t, c.old)
			}
			if c.op == Delete {
				req.Object, req.OldObject = nil, req.Object
			}
			want := ""
			if c.want {
				want = " pass"
			}
			same(t, "verdict", lines(s.Validate(t.Context(), req, world{labels: map[string]map[string]string{"shop": {"team": "blue"}}}.inputs())), want)
		})
	}
}

// Constraints that select nothing, or everything, are no mistake to an API server that stores them; they are told of.
func TestMatchConstraintsWarnings(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"no constraints":   {"", "spec.matchConstraints: is missing: the policy selects nothing"},
		"no resourceRules": {"matchConstraints: {}, ", "spec.matchConstraints.resourceRules: is empty: the policy selects every resource"},
		"empty lists": {"matchConstraints: {resourceRules: [{}]}, ",
			`spec.matchConstraints.resourceRules[0].operations: is empty: the rule selects nothing; expected CREATE, UPDATE, DELETE, CONNECT or *
spec.matchConstraints.resourceRules[0].apiGroups: is empty: the rule selects nothing; expected at least one, or *
spec.matchConstraints.resourceRules[0].apiVersions: is empty: the rule selects nothing; expected at least one, or *
spec.matchConstraints.resourceRules[0].resources: is empty: the rule selects nothing; expected at least one, or *`},
		"all there": {onPodResources, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", c.spec+"validations: [{expression: 'true'}]")
			same(t, "warnings", strings.Join(s.Policies()[0].Warnings, "\n"), c.want)
		})
	}
}

// The labels of a namespace that cannot be looked up are an error, for the failurePolicy, and only where they matter.
func TestMatchConstraintsLookups(t *testing.T) {
	s := validatingSnapshot(t, "", withoutControllers+"matchConstraints: {namespaceSelector: {matchLabels: {a: b}}, resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}, validations: [{expression: 'true'}]")
	silent := world{labelsErr: errors.New("no answer")}
	same(t, "a Pod", lines(s.Validate(t.Context(), asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}}"), silent.inputs())),
		" error: could not be evaluated: reading the labels of namespace shop: no answer")
	same(t, "a Service", lines(s.Validate(t.Context(), asking(t, "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop}}"), silent.inputs())), "")
}
