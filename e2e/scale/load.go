package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-io/holdfast/e2e/fleet"
)

// loaders is how many objects are created at a time: more wait for the API server only.
const loaders = 16

// object is what is kept of an object that was created.
type object struct {
	resource        schema.GroupVersionResource
	namespace, name string
	uid             string
}

// resources are the types that a fleet may have, by kind.
var resources = map[string]schema.GroupVersionResource{
	"Namespace":  {Version: "v1", Resource: "namespaces"},
	"Pod":        {Version: "v1", Resource: "pods"},
	"Service":    {Version: "v1", Resource: "services"},
	"ConfigMap":  {Version: "v1", Resource: "configmaps"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
	"Ingress":    {Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
}

// path is where objects of the type are, in a namespace if it is not empty.
func path(r schema.GroupVersionResource, namespace string, more ...string) string {
	at := "/apis/" + r.Group + "/" + r.Version
	if r.Group == "" {
		at = "/api/" + r.Version
	}
	if namespace != "" {
		at += "/namespaces/" + namespace
	}
	return strings.Join(append([]string{at, r.Resource}, more...), "/")
}

// load creates all objects, and gives those workloads of which nothing is wrong yet.
func load(ctx context.Context, client rest.Interface, all iter.Seq2[fleet.Object, error], say func(string, ...any)) (count int, sound []object, err error) {
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(loaders)
	told, namespaces := time.Now(), true
	for o, err := range all {
		if err != nil {
			return 0, nil, err
		}
		kind, _ := o.Content["kind"].(string)
		if namespaces && kind != "Namespace" {
			// Namespaces come first, and must be there before anything in them.
			if err := group.Wait(); err != nil {
				return 0, nil, err
			}
			namespaces = false
			group, groupCtx = errgroup.WithContext(ctx)
			group.SetLimit(loaders)
		}
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			made, err := create(groupCtx, client, o)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if len(o.Violates) == 0 && (kind == "Pod" || kind == "Deployment") {
				sound = append(sound, made)
			}
			return nil
		})
		if count++; time.Since(told) > 10*time.Second {
			say("%d objects created", count)
			told = time.Now()
		}
	}
	return count, sound, group.Wait()
}

func create(ctx context.Context, client rest.Interface, o fleet.Object) (object, error) {
	var answer struct {
		Metadata struct{ Namespace, Name, UID string }
	}
	kind, _ := o.Content["kind"].(string)
	resource, ok := resources[kind]
	meta, _ := o.Content["metadata"].(map[string]any)
	namespace, _ := meta["namespace"].(string)
	name, _ := meta["name"].(string)
	if !ok {
		return object{}, fmt.Errorf("create %s %s/%s: such objects are not measured", kind, namespace, name)
	}
	body, err := json.Marshal(o.Content)
	if err == nil {
		var raw []byte
		post := client.Post().AbsPath(path(resource, namespace)).SetHeader("Content-Type", "application/json").Body(body)
		raw, err = post.Do(ctx).Raw()
		if apierrors.IsAlreadyExists(err) && kind == "Namespace" {
			return object{}, nil
		}
		if apierrors.IsTimeout(err) { // among many writes one may be late, and may have been carried out
			if raw, err = post.Do(ctx).Raw(); apierrors.IsAlreadyExists(err) {
				raw, err = client.Get().AbsPath(path(resource, namespace, name)).Do(ctx).Raw()
			}
		}
		if err == nil {
			err = json.Unmarshal(raw, &answer)
		}
	}
	if err != nil {
		return object{}, fmt.Errorf("create %s %s/%s: %w", kind, namespace, name, err)
	}
	return object{resource, namespace, name, answer.Metadata.UID}, nil
}

// counting counts the requests that the measurement makes itself, as the API server's metrics name them.
type counting struct {
	next http.RoundTripper
	mu   *sync.Mutex
	made map[string]int
}

func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	if key := requestKey(req); key != "" {
		c.mu.Lock()
		c.made[key]++
		c.mu.Unlock()
	}
	return c.next.RoundTrip(req)
}

// requestKey tells verb and resource of the requests that this package makes.
func requestKey(req *http.Request) string {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return ""
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	resource, verb := parts[0], req.Method
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	if verb == http.MethodGet && len(parts) == 1 {
		verb = "LIST"
		if req.URL.Query().Get("watch") == "true" {
			verb = "WATCH"
		}
	}
	return verb + " " + resource
}
