package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/github"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/engine"
)

// secretReader reads a Secret: of our own namespace if the namespace is empty.
type secretReader func(ctx context.Context, namespace, name string) (*corev1.Secret, error)

func secretsOf(client kubernetes.Interface, own string) secretReader {
	return func(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
		if namespace == "" {
			namespace = own
		}
		return client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	}
}

// credentials finds what a call may show to a registry. A call from a namespace has the pull secrets of that
// namespace; what the process itself is given (a Docker configuration, a token) is for cluster-wide policies alone.
type credentials struct {
	read   secretReader
	logger *slog.Logger
}

func (c *credentials) of(ctx context.Context, call *engine.ImageCall) (authn.Keychain, error) {
	var chains []authn.Keychain
	for _, name := range call.Secrets {
		found, err := c.secret(ctx, call.Namespace, name)
		if err != nil {
			return nil, err
		}
		if found != nil {
			chains = append(chains, found)
		}
	}
	if call.Namespace != "" {
		if len(call.Providers) > 0 {
			return nil, refusef("the credential helper %s has credentials of Holdfast, which are for cluster-wide policies", call.Providers[0])
		}
		return authn.NewMultiKeychain(chains...), nil
	}
	providers := call.Providers
	if len(providers) == 0 {
		providers = []string{"default"}
	}
	for _, provider := range providers {
		switch provider {
		case "default":
			chains = append(chains, authn.DefaultKeychain)
		case "github":
			chains = append(chains, github.Keychain)
		default:
			return nil, fmt.Errorf("the credential helper %s is not built yet", provider)
		}
	}
	return authn.NewMultiKeychain(chains...), nil
}

// secret reads a pull secret; nil if it does not exist, as for a kubelet: an image that needs it says so.
func (c *credentials) secret(ctx context.Context, namespace, name string) (authn.Keychain, error) {
	secret, err := c.read(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		c.logger.WarnContext(ctx, "a pull secret does not exist", "namespace", namespace, "name", name)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading pull secret %s: %w", name, err)
	}
	found, err := pullSecret(secret)
	if err != nil {
		return nil, fmt.Errorf("reading pull secret %s: %w", name, err)
	}
	return found, nil
}

// pullSecret reads the registries of a Secret. Errors tell nothing of what is in it.
func pullSecret(secret *corev1.Secret) (registries, error) {
	var config struct {
		Auths registries `json:"auths"`
	}
	var err error
	switch {
	case secret.Data[corev1.DockerConfigJsonKey] != nil:
		err = json.Unmarshal(secret.Data[corev1.DockerConfigJsonKey], &config)
	case secret.Data[corev1.DockerConfigKey] != nil:
		err = json.Unmarshal(secret.Data[corev1.DockerConfigKey], &config.Auths)
	default:
		return nil, fmt.Errorf("it has neither %s nor %s", corev1.DockerConfigJsonKey, corev1.DockerConfigKey)
	}
	if err != nil {
		return nil, errors.New("it is no Docker configuration")
	}
	return config.Auths, nil
}

// registries are credentials by registry, or by repositories of one: [scheme://]HOST[:PORT][/PATH], where * in the host
// stands for a part between dots.
// Source: https://kubernetes.io/docs/concepts/containers/images/#config-json
type registries map[string]authn.AuthConfig

// Resolve gives the credentials of the longest entry that a repository is below.
func (r registries) Resolve(target authn.Resource) (authn.Authenticator, error) {
	best, length := authn.Anonymous, -1
	for _, key := range slices.Sorted(maps.Keys(r)) {
		if n := len(key); n > length && covers(key, target.String()) {
			best, length = authn.FromConfig(r[key]), n
		}
	}
	return best, nil
}

// covers says whether an entry of a Docker configuration is about a repository.
func covers(key, repository string) bool {
	if _, rest, found := strings.Cut(key, "://"); found {
		key = rest
	}
	host, below, _ := strings.Cut(strings.TrimSuffix(key, "/"), "/")
	if below == "v1" || below == "v2" { // the old way to write a registry
		below = ""
	}
	if host == "docker.io" {
		host = name.DefaultRegistry
	}
	asked, rest, _ := strings.Cut(repository, "/")
	return sameHost(host, asked) && (below == "" || rest == below || strings.HasPrefix(rest, below+"/"))
}

// sameHost compares hosts part by part: a * stands for none with a dot in it.
func sameHost(pattern, host string) bool {
	want, got := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if ok, err := path.Match(want[i], got[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
