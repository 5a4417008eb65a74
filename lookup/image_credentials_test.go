package lookup

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/holdfast-io/holdfast/engine"
)

func TestPullSecretsOpenARegistry(t *testing.T) {
	_, host := registryOf(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "me" || password != "pw" {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	i := imagesFor(t, nil, map[string]bool{host: true})
	var read []string
	i.credentials.read = func(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
		read = append(read, namespace+"/"+name)
		auth := base64.StdEncoding.EncodeToString([]byte("me:pw"))
		switch name {
		case "new":
			return &corev1.Secret{Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"` + host + `":{"auth":"` + auth + `"}}}`)}}, nil
		case "old":
			return &corev1.Secret{Data: map[string][]byte{corev1.DockerConfigKey: []byte(`{"https://` + host + `/v1/":{"username":"me","password":"pw"}}`)}}, nil
		case "other":
			return &corev1.Secret{Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"other.test":{"auth":"` + auth + `"}}}`)}}, nil
		case "broken":
			return &corev1.Secret{Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":"hunter2"}`)}}, nil
		case "empty":
			return &corev1.Secret{}, nil
		}
		return noSecrets(ctx, namespace, name)
	}
	for name, test := range map[string]struct {
		secrets []string
		want    string // a part of the error
	}{
		"none":                       {nil, "who are you?"},
		"one":                        {[]string{"new"}, "NAME_UNKNOWN"}, // it let us in
		"of the older kind":          {[]string{"old"}, "NAME_UNKNOWN"},
		"the second":                 {[]string{"other", "new"}, "NAME_UNKNOWN"},
		"of another registry":        {[]string{"other"}, "who are you?"},
		"one that is not there":      {[]string{"none"}, "who are you?"},
		"one that is broken":         {[]string{"broken"}, "reading pull secret broken: it is no Docker configuration"},
		"one that is something else": {[]string{"empty"}, "reading pull secret empty: it has neither .dockerconfigjson nor .dockercfg"},
	} {
		t.Run(name, func(t *testing.T) {
			read = nil
			_, err := i.get(t.Context(), &engine.ImageCall{Reference: host + "/xx:v1", Secrets: test.secrets, Namespace: "team", Insecure: true})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error tells what is in the Secret")
			}
			for _, r := range read {
				if !strings.HasPrefix(r, "team/") {
					t.Errorf("read %s", r)
				}
			}
		})
	}
}

func TestWhichRegistriesAnEntryCovers(t *testing.T) {
	for name, test := range map[string]struct {
		key, repository string
		want            bool
	}{
		"the registry":              {"r.test", "r.test/a/b", true},
		"with a scheme":             {"https://r.test/", "r.test/a", true},
		"Docker Hub":                {"https://index.docker.io/v1/", "index.docker.io/library/a", true},
		"Docker Hub, in short":      {"docker.io", "index.docker.io/library/a", true},
		"repositories below a path": {"r.test/team", "r.test/team/app", true},
		"the repository":            {"r.test/team/app", "r.test/team/app", true},
		"a part of the host":        {"*.r.test", "x.r.test/a", true},
		"with a port":               {"*.r.test:5000", "x.r.test:5000/a", true},
		"not two parts":             {"*.r.test", "x.y.r.test/a", false},
		"not another path":          {"r.test/team", "r.test/teamwork/a", false},
		"not another port":          {"r.test", "r.test:5000/a", false},
		"not another host":          {"r.test", "evil.test/r.test", false},
		"not what ends so":          {"r.test", "xr.test/a", false},
		"not a broken pattern":      {"[.test", "r.test/a", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := covers(test.key, test.repository); got != test.want {
				t.Errorf("%s covers %s: %t", test.key, test.repository, got)
			}
		})
	}
}

func TestAccessDoesNotDependOnTheOrder(t *testing.T) {
	a := access(&engine.ImageCall{Secrets: []string{"a", "b"}})
	if b := access(&engine.ImageCall{Secrets: []string{"b", "a"}}); a != b {
		t.Error("the order of secrets counts")
	}
	all := []string{a, access(&engine.ImageCall{}), access(&engine.ImageCall{Namespace: "a"}), access(&engine.ImageCall{Insecure: true}), access(&engine.ImageCall{Providers: []string{"a"}}), access(&engine.ImageCall{Secrets: []string{`a" "b`}})}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("two with other credentials are the same")
	}
}
