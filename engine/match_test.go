package engine

import (
	"errors"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	plainPod    = "{apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: team-a, labels: {app: web, tier: front}, annotations: {owner: jane@example.com}}, spec: {containers: [{name: c, image: nginx}]}}"
	deployment  = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: team-a}, spec: {template: {spec: {containers: [{name: c, image: nginx}]}}}}"
	ownNS       = "{apiVersion: v1, kind: Namespace, metadata: {name: team-a, labels: {zone: x}}}"
	matched     = "r fail: rule r failed"
	unauditable = "r skip: not auditable: matches by request.userInfo"
)

// labelled is a cluster in which the namespace team-a has labels.
var labelled = world{labels: map[string]map[string]string{"team-a": {"env": "prod", "cost": "c-12"}}}

func TestMatchAndExclude(t *testing.T) {
	for name, c := range map[string]struct {
		match   string
		exclude string
		object  string // plainPod if empty
		change  func(*Request)
		world   world
		rest    bool
		want    string // of the only decision, or empty: not matched
	}{
		"a kind":                              {match: "{any: [{resources: {kinds: [Pod]}}]}", want: matched},
		"another kind":                        {match: "{any: [{resources: {kinds: [Service]}}]}"},
		"kinds are told apart by case":        {match: "{any: [{resources: {kinds: [pod]}}]}"},
		"the old form without any":            {match: "{resources: {kinds: [Pod]}}", want: matched},
		"a version":                           {match: "{any: [{resources: {kinds: [v1/Pod]}}]}", want: matched},
		"another version":                     {match: "{any: [{resources: {kinds: [v2/Pod]}}]}"},
		"a group":                             {match: "{any: [{resources: {kinds: [apps/v1/Deployment]}}]}", object: deployment, want: matched},
		"another group":                       {match: "{any: [{resources: {kinds: [batch/v1/Deployment]}}]}", object: deployment},
		"a wildcard for the version":          {match: "{any: [{resources: {kinds: ['apps/*/Deployment']}}]}", object: deployment, want: matched},
		"a wildcard in the group":             {match: "{any: [{resources: {kinds: ['a*s/v?/Deployment']}}]}", object: deployment, want: matched},
		"a wildcard in the kind":              {match: "{any: [{resources: {kinds: ['*ment']}}]}", object: deployment, want: matched},
		"all kinds":                           {match: "{any: [{resources: {kinds: ['*']}}]}", want: matched},
		"all kinds, and no subresource":       {match: "{any: [{resources: {kinds: ['*']}}]}", change: func(r *Request) { r.SubResource = "status" }},
		"all kinds with all subresources":     {match: "{any: [{resources: {kinds: ['*/*']}}]}", change: func(r *Request) { r.SubResource = "status" }, want: matched},
		"a subresource of any kind":           {match: "{any: [{resources: {kinds: ['*/status']}}]}", change: func(r *Request) { r.SubResource = "status" }, want: matched},
		"a subresource":                       {match: "{any: [{resources: {kinds: [Pod/exec]}}]}", change: func(r *Request) { r.SubResource = "exec" }, want: matched},
		"a subresource behind a dot":          {match: "{any: [{resources: {kinds: [Pod.exec]}}]}", change: func(r *Request) { r.SubResource = "exec" }, want: matched},
		"a subresource with a version":        {match: "{any: [{resources: {kinds: [v1/Pod/exec]}}]}", change: func(r *Request) { r.SubResource = "exec" }, want: matched},
		"a subresource with a group":          {match: "{any: [{resources: {kinds: [apps/v1/Deployment/scale]}}]}", object: deployment, change: func(r *Request) { r.SubResource = "scale" }, want: matched},
		"a kind is not its subresource":       {match: "{any: [{resources: {kinds: [Pod]}}]}", change: func(r *Request) { r.SubResource = "exec" }},
		"a subresource is not its kind":       {match: "{any: [{resources: {kinds: [Pod/exec]}}]}"},
		"ephemeral containers are of the Pod": {match: "{any: [{resources: {kinds: [Pod]}}]}", change: func(r *Request) { r.SubResource = "ephemeralcontainers" }, want: matched},
		"a name":                              {match: "{any: [{resources: {kinds: [Pod], names: [other, 'web-*']}}]}", want: matched},
		"no name":                             {match: "{any: [{resources: {kinds: [Pod], names: [other, web]}}]}"},
		"the old form of a name":              {match: "{any: [{resources: {kinds: [Pod], name: 'web-?'}}]}", want: matched},
		"a name that is yet to be made":       {match: "{any: [{resources: {kinds: [Pod], names: ['job-*']}}]}", object: "{apiVersion: v1, kind: Pod, metadata: {generateName: job-, namespace: team-a}}", want: matched},
		"a namespace":                         {match: "{any: [{resources: {kinds: [Pod], namespaces: ['team-*']}}]}", want: matched},
		"another namespace":                   {match: "{any: [{resources: {kinds: [Pod], namespaces: [team]}}]}"},
		"a Namespace by its name":             {match: "{any: [{resources: {kinds: [Namespace], namespaces: [team-a]}}]}", object: ownNS, want: matched},
		"a Namespace by another's name":       {match: "{any: [{resources: {kinds: [Namespace], namespaces: [team-b]}}]}", object: ownNS},
		"a namespaceSelector is for no Namespace": {
			match: "{any: [{resources: {kinds: [Namespace], namespaceSelector: {matchLabels: {zone: x}}}}]}", object: ownNS,
		},
		"labels":                                {match: "{any: [{resources: {kinds: [Pod], selector: {matchLabels: {app: web, tier: front}}}}]}", want: matched},
		"labels, of which one differs":          {match: "{any: [{resources: {kinds: [Pod], selector: {matchLabels: {app: web, tier: back}}}}]}"},
		"labels by wildcard":                    {match: "{any: [{resources: {kinds: [Pod], selector: {matchLabels: {'a*': 'w?b'}}}}]}", want: matched},
		"a label that must be there":            {match: "{any: [{resources: {kinds: [Pod], selector: {matchExpressions: [{key: app, operator: Exists}]}}}]}", want: matched},
		"a label that must not be there":        {match: "{any: [{resources: {kinds: [Pod], selector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}}]}"},
		"a label that is none of":               {match: "{any: [{resources: {kinds: [Pod], selector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}}]}"},
		"labels of an object without any":       {match: "{any: [{resources: {kinds: [Deployment], selector: {matchLabels: {app: '*'}}}}]}", object: deployment},
		"an empty selector":                     {match: "{any: [{resources: {kinds: [Deployment], selector: {}}}]}", object: deployment, want: matched},
		"annotations":                           {match: "{any: [{resources: {kinds: [Pod], annotations: {owner: '*@example.com'}}}]}", want: matched},
		"other annotations":                     {match: "{any: [{resources: {kinds: [Pod], annotations: {owner: '*@example.org'}}}]}"},
		"labels of the namespace":               {match: "{any: [{resources: {kinds: [Pod], namespaceSelector: {matchLabels: {env: prod}}}}]}", world: labelled, want: matched},
		"labels of the namespace by wildcard":   {match: "{any: [{resources: {kinds: [Pod], namespaceSelector: {matchLabels: {cost: 'c-*'}}}}]}", world: labelled, want: matched},
		"other labels of the namespace":         {match: "{any: [{resources: {kinds: [Pod], namespaceSelector: {matchLabels: {env: dev}}}}]}", world: labelled},
		"a cluster-scoped object has none":      {match: "{any: [{resources: {kinds: [Node], namespaceSelector: {matchLabels: {env: prod}}}}]}", object: "{apiVersion: v1, kind: Node, metadata: {name: n}}", world: labelled},
		"an operation":                          {match: "{any: [{resources: {kinds: [Pod], operations: [CREATE]}}]}", want: matched},
		"another operation":                     {match: "{any: [{resources: {kinds: [Pod], operations: [UPDATE, DELETE]}}]}"},
		"deny rules see deletions":              {match: "{any: [{resources: {kinds: [Pod]}}]}", change: deletion, want: matched},
		"one of any":                            {match: "{any: [{resources: {kinds: [Service]}}, {resources: {kinds: [Pod]}}]}", want: matched},
		"all of all":                            {match: "{all: [{resources: {kinds: [Pod]}}, {resources: {namespaces: [team-a]}}]}", want: matched},
		"one of all does not":                   {match: "{all: [{resources: {kinds: [Pod]}}, {resources: {namespaces: [team-b]}}]}"},
		"excluded by any":                       {match: "{any: [{resources: {kinds: [Pod]}}]}", exclude: "{any: [{resources: {names: [x]}}, {resources: {names: [web-1]}}]}"},
		"not excluded":                          {match: "{any: [{resources: {kinds: [Pod]}}]}", exclude: "{any: [{resources: {names: [x]}}]}", want: matched},
		"excluded by all":                       {match: "{any: [{resources: {kinds: [Pod]}}]}", exclude: "{all: [{resources: {names: [web-1]}}, {resources: {namespaces: [team-a]}}]}"},
		"excluded by one of all is not":         {match: "{any: [{resources: {kinds: [Pod]}}]}", exclude: "{all: [{resources: {names: [web-1]}}, {resources: {namespaces: [team-b]}}]}", want: matched},
		"an empty exclude takes nothing out":    {match: "{any: [{resources: {kinds: [Pod]}}]}", exclude: "{}", want: matched},
		"a user":                                {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: ja*}]}]}", want: matched},
		"another user":                          {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: joe}]}]}"},
		"a group of users":                      {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: Group, name: dev}]}]}", want: matched},
		"other groups of users":                 {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: Group, name: ops}]}]}"},
		"a service account":                     {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: ServiceAccount, namespace: ci, name: bot}]}]}", change: byBot, want: matched},
		"a service account of elsewhere":        {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: ServiceAccount, namespace: cd, name: bot}]}]}", change: byBot},
		"a role":                                {match: "{any: [{resources: {kinds: [Pod]}, roles: ['team-a:edit*']}]}", world: world{roles: []string{"team-a:editor"}}, want: matched},
		"another role":                          {match: "{any: [{resources: {kinds: [Pod]}, roles: ['team-b:editor']}]}", world: world{roles: []string{"team-a:editor"}}},
		"a cluster role":                        {match: "{any: [{resources: {kinds: [Pod]}, clusterRoles: [cluster-admin]}]}", world: world{clusterRoles: []string{"view", "cluster-admin"}}, want: matched},
		"another cluster role":                  {match: "{any: [{resources: {kinds: [Pod]}, clusterRoles: [cluster-admin]}]}", world: world{clusterRoles: []string{"view"}}},
		"a user at rest is not known":           {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: jane}]}]}", rest: true, want: unauditable},
		"a role at rest is not known":           {match: "{any: [{resources: {kinds: [Pod]}, clusterRoles: [view]}]}", rest: true, want: unauditable},
		"an excluded user at rest is not known": {match: "{any: [{resources: {kinds: [Pod]}}]}", exclude: "{any: [{subjects: [{kind: User, name: jane}]}]}", rest: true, want: unauditable},
		"at rest the rest of the filter counts": {match: "{any: [{resources: {kinds: [Pod], names: [x]}, subjects: [{kind: User, name: jane}]}]}", rest: true},
		"at rest another of any may match":      {match: "{any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: jane}]}, {resources: {kinds: [Pod]}}]}", rest: true, want: matched},
		"at rest another of all may not":        {match: "{all: [{subjects: [{kind: User, name: jane}]}, {resources: {kinds: [Pod], names: [x]}}]}", rest: true},
		"GHSA-jrr2-x33p-6hvc: labels of a namespace that cannot be read": {
			match: "{any: [{resources: {kinds: [Pod], namespaceSelector: {matchLabels: {env: prod}}}}]}",
			world: world{labelsErr: errors.New("no route to host")},
			want:  "r error: could not be evaluated: reading the labels of namespace team-a: no route to host",
		},
		"GHSA-jrr2-x33p-6hvc: they cannot be read for an exclusion": {
			match: "{any: [{resources: {kinds: [Pod]}}]}", exclude: "{any: [{resources: {namespaceSelector: {matchLabels: {env: prod}}}}]}",
			world: world{labelsErr: errors.New("no route to host")},
			want:  "r error: could not be evaluated: reading the labels of namespace team-a: no route to host",
		},
		"roles that cannot be found are an error": {
			match: "{any: [{resources: {kinds: [Pod]}, roles: ['team-a:editor']}]}", world: world{rolesErr: errors.New("no route to host")},
			want: "r error: could not be evaluated: finding the roles of user jane: no route to host",
		},
	} {
		t.Run(name, func(t *testing.T) {
			exclude := c.exclude
			if exclude == "" {
				exclude = "null"
			}
			s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, match: "+c.match+", exclude: "+exclude+", validate: {deny: {}}}]}"))
			text := c.object
			if text == "" {
				text = plainPod
			}
			req := asking(t, text)
			if c.rest {
				req = resting(t, text)
			}
			if c.change != nil {
				c.change(req)
			}
			same(t, "decisions", lines(s.Validate(t.Context(), req, c.world.inputs())), c.want)
		})
	}
}

func deletion(r *Request) { r.Operation, r.OldObject, r.Object = Delete, r.Object, nil }

func byBot(r *Request) { r.User = &authenticationv1.UserInfo{Username: "system:serviceaccount:ci:bot"} }

func TestParseKind(t *testing.T) {
	for in, want := range map[string]string{
		"Pod": "*/*/Pod", "v1/Pod": "*/v1/Pod", "v1beta1/Pod": "*/v1beta1/Pod", "*/Pod": "*/*/Pod",
		"apps/v1/Deployment": "apps/v1/Deployment", "*/*/Deployment": "*/*/*/Deployment", // version, kind, subresource, as Kyverno reads it
		"*": "*/*/*", "*/*": "*/*/*/*", "*/scale": "*/*/*/scale", "Pod/exec": "*/*/Pod/exec", "Pod.status": "*/*/Pod/status",
		"apps/v1/Deployment/scale": "apps/v1/Deployment/scale", "apps/v1/Deployment.scale": "apps/v1/Deployment/scale",
		"networking.k8s.io/v1/Ingress": "networking.k8s.io/v1/Ingress",
	} {
		k, err := ParseKind(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		same(t, in, k.String(), want)
	}
	for in, want := range map[string]string{
		"":          `"" is not a kind: expected Kind, version/Kind, group/version/Kind or one of these with /subresource`,
		"v1/":       `"v1/" is not a kind: expected Kind, version/Kind, group/version/Kind or one of these with /subresource`,
		"a/b/c/d/e": `"a/b/c/d/e" is not a kind: it has more than four parts`,
	} {
		_, err := ParseKind(in)
		if err == nil {
			t.Errorf("%q is taken for a kind", in)
			continue
		}
		same(t, in, err.Error(), want)
	}
}

func FuzzParseKind(f *testing.F) {
	for _, s := range []string{"Pod", "*/*", "apps/v1/Deployment.scale", "a/b/c/d/e", "/", ".", "v1/Pod/exec"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKind(s)
		if err != nil {
			return
		}
		for _, part := range []string{k.Group.String(), k.Version.String(), k.Kind.String()} {
			if part == "" || !strings.Contains(s+"*", part) {
				t.Errorf("%q is read as %s", s, k)
			}
		}
		k.Match(&Resource{Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, SubResource: "scale"})
	})
}

// A Policy rules its own namespace and nothing else, whatever its match block says.
func TestPolicyStaysInItsNamespace(t *testing.T) {
	s := snapshot(t, "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: team-a, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: ['*']}}]}, validate: {deny: {}}}]}}")
	for object, want := range map[string]string{
		plainPod: matched,
		"{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: team-b}}": "",
		"{apiVersion: v1, kind: Node, metadata: {name: team-a}}":              "",
		ownNS: "",
	} {
		same(t, object, lines(s.Validate(t.Context(), asking(t, object), world{}.inputs())), want)
	}
}
