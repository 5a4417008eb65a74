package lookup

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// imagesFor looks images up in registries at these loopback addresses, without pull secrets.
func imagesFor(t *testing.T, known map[string]string, literal map[string]bool) *images {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // no Docker configuration of this machine
	t.Setenv("DOCKER_CONFIG", "")
	i := newImages(&guard{resolver: names(known), literal: literal}, noSecrets, time.Minute, slog.New(slog.DiscardHandler))
	t.Cleanup(i.close)
	return i
}

func noSecrets(_ context.Context, _, name string) (*corev1.Secret, error) {
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
}

// registryOf is a registry in this process. Its handler goes through wrap.
func registryOf(t *testing.T, wrap func(http.Handler) http.Handler) (server *seen, host string) {
	t.Helper()
	var handler http.Handler = registry.New(registry.Logger(log.New(t.Output(), "", 0)))
	if wrap != nil {
		handler = wrap(handler)
	}
	server = &seen{}
	server.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut && r.Method != http.MethodPost && r.Method != http.MethodPatch { // bodies are not ours to read
			server.mu.Lock()
			server.requests = append(server.requests, r)
			server.mu.Unlock()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server, strings.TrimPrefix(server.URL, "http://")
}

// imageOf is an image that runs as a user.
func imageOf(t *testing.T, user string) v1.Image {
	t.Helper()
	image, err := mutate.Config(empty.Image, v1.Config{User: user, Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func push(t *testing.T, reference string, image v1.Image) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return ref
}

func userOf(data map[string]any) any {
	config, _ := data["configData"].(map[string]any)
	inner, _ := config["config"].(map[string]any)
	return inner["User"]
}

func TestAnImage(t *testing.T) {
	_, host := registryOf(t, nil)
	image := imageOf(t, "nobody")
	push(t, host+"/team/app:v1", image)
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	i := imagesFor(t, nil, map[string]bool{host: true})
	for reference, identifier := range map[string]string{
		"/team/app:v1": "v1", "/team/app@" + digest.String(): digest.String(), "/team/app:old@" + digest.String(): "old@" + digest.String(),
	} {
		got, err := i.get(t.Context(), &engine.ImageCall{Reference: host + reference, Insecure: true})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"image": host + reference, "resolvedImage": host + "/team/app@" + digest.String(), "registry": host, "repository": "team/app", "identifier": identifier,
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %v, want %v", reference, key, got[key], value)
			}
		}
		manifest, _ := got["manifest"].(map[string]any)
		if manifest["schemaVersion"] != 2.0 || userOf(got) != "nobody" || got["manifestList"] != nil || len(got) != 8 {
			t.Errorf("%s: got %v", reference, got)
		}
	}
}

func TestAnIndexIsResolvedForLinuxOnAMD64(t *testing.T) {
	_, host := registryOf(t, nil)
	index := v1.ImageIndex(empty.Index)
	for _, p := range []v1.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}, {OS: "windows", Architecture: "amd64"}} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: imageOf(t, p.String()), Descriptor: v1.Descriptor{Platform: &p}})
	}
	ref, err := name.ParseReference(host + "/many:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	got, err := imagesFor(t, nil, map[string]bool{host: true}).get(t.Context(), &engine.ImageCall{Reference: host + "/many:v1", Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	list, _ := got["manifestList"].(map[string]any)
	if manifests, _ := list["manifests"].([]any); len(manifests) != 3 || userOf(got) != "linux/amd64" {
		t.Errorf("got %v", got)
	}
	digest, err := index.Digest()
	if err != nil || got["resolvedImage"] != host+"/many@"+digest.String() {
		t.Errorf("resolved to %v", got["resolvedImage"])
	}
}

func TestImagesThatAreNotAnswered(t *testing.T) {
	_, host := registryOf(t, nil)
	_, slow := registryOf(t, func(http.Handler) http.Handler { return http.HandlerFunc(hanging) })
	_, long := registryOf(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				saying(200, "application/vnd.oci.image.manifest.v1+json", strings.Repeat(" ", maxManifest+1))(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	literal := map[string]bool{host: true, slow: true, long: true}
	for name, test := range map[string]struct {
		call engine.ImageCall
		want string // a part of the error
		out  string
	}{
		"no reference":          {engine.ImageCall{Reference: "a b"}, `looking up image "a b": could not parse reference: a b`, "error"},
		"none of that name":     {engine.ImageCall{Reference: host + "/none:v1", Insecure: true}, "NAME_UNKNOWN", "error"},
		"plain HTTP, unasked":   {engine.ImageCall{Reference: host + "/xx:v1"}, "plain HTTP is allowed only where the policy says allowInsecureRegistry", "refused"},
		"one that hangs":        {engine.ImageCall{Reference: slow + "/xx:v1", Insecure: true}, "no answer in time (100ms at most)", "timeout"},
		"one without an end":    {engine.ImageCall{Reference: long + "/xx:v1", Insecure: true}, "the registry answers with more than 4.2 MB, the limit of a look-up", "too_large"},
		"a helper we have not":  {engine.ImageCall{Reference: host + "/xx:v1", Insecure: true, Providers: []string{"amazon"}}, "the credential helper amazon is not built yet", "error"},
		"our helper, elsewhere": {engine.ImageCall{Reference: host + "/xx:v1", Insecure: true, Namespace: "team", Providers: []string{"github"}}, "the credential helper github has credentials of Holdfast, which are for cluster-wide policies", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			i := imagesFor(t, nil, literal)
			if test.out == "timeout" {
				i.timeout = 100 * time.Millisecond
			}
			_, err := i.get(t.Context(), &test.call)
			if err == nil || !strings.Contains(err.Error(), test.want) || outcome(err) != test.out {
				t.Errorf("got %v (%s), want %s (%s)", err, outcome(err), test.want, test.out)
			}
		})
	}
}

// A tag may move: it is asked for again after a while. What a digest names is not.
func TestImagesAreRemembered(t *testing.T) {
	server, host := registryOf(t, nil)
	ref := push(t, host+"/app:v1", imageOf(t, "one"))
	i := imagesFor(t, nil, map[string]bool{host: true})
	ask := func(call engine.ImageCall) (any, int) {
		t.Helper()
		before := len(server.all())
		call.Insecure = true
		got, err := i.get(t.Context(), &call)
		if err != nil {
			t.Fatal(err)
		}
		return userOf(got), len(server.all()) - before
	}
	if user, n := ask(engine.ImageCall{Reference: host + "/app:v1"}); user != "one" || n == 0 {
		t.Errorf("first: %v by %d requests", user, n)
	}
	if user, n := ask(engine.ImageCall{Reference: host + "/app:v1"}); user != "one" || n != 0 {
		t.Errorf("again: %v by %d requests", user, n)
	}
	// Who comes with other credentials may not see what those of another brought.
	if _, n := ask(engine.ImageCall{Reference: host + "/app:v1", Namespace: "team"}); n == 0 {
		t.Error("an answer was shared between credentials")
	}
	push(t, host+"/app:v1", imageOf(t, "two"))
	for key, element := range i.cache.byKey {
		if key.digest == "" {
			element.Value.(*cached).expires = time.Now().Add(-1)
		}
	}
	if user, n := ask(engine.ImageCall{Reference: host + "/app:v1"}); user != "two" || n == 0 {
		t.Errorf("after the tag has moved: %v by %d requests", user, n)
	}
	digest, err := imageOf(t, "two").Digest()
	if err != nil {
		t.Fatal(err)
	}
	if user, n := ask(engine.ImageCall{Reference: ref.Context().Digest(digest.String()).Name()}); user != "two" || n != 0 {
		t.Errorf("by digest: %v by %d requests", user, n)
	}
}

func TestTheMemoryOfImagesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newImageCache()
		ref := func(i int) name.Reference {
			r, err := name.ParseReference(fmt.Sprintf("r.test/app:v%d", i))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for i := range 2 * maxImages {
			c.keep("", ref(i), &imageContent{digest: fmt.Sprint("sha256:", i), size: 100})
		}
		if n := c.recent.Len(); n != maxImages || len(c.byKey) != n {
			t.Errorf("%d are kept", n)
		}
		last := fmt.Sprint("sha256:", 2*maxImages-1)
		if c.digestOf("", ref(2*maxImages-1).Name()) != last || c.content("", "r.test/app", last) == nil || c.content("other", "r.test/app", last) != nil {
			t.Error("the last one is not there, or is for everybody")
		}
		c.keep("", ref(0), &imageContent{digest: "sha256:large", size: maxImageBytes - 10})
		if objects, bytes := c.held(); objects > 1 || bytes > maxImageBytes {
			t.Errorf("%d objects of %d bytes", objects, bytes)
		}
		time.Sleep(tagLife + 1)
		if c.digestOf("", ref(0).Name()) != "" {
			t.Error("a tag is kept too long")
		}
		c.keep("", ref(0), &imageContent{digest: "sha256:a", size: 1})
		time.Sleep(digestLife + 1)
		if c.content("", "r.test/app", "sha256:a") != nil {
			t.Error("a digest is kept too long")
		}
	})
}
