package lookup

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/holdfast-io/holdfast/engine"
)

// maxManifest is the longest manifest, index or configuration of an image that is read. Registries take 4 MiB.
const maxManifest = 4 << 20

// images asks registries about images. What a digest names never changes and is asked for once; what a tag names is
// asked for again after a while. The address of a registry comes from a request (the image of a Pod), so that only the
// guard stands between it and our network.
type images struct {
	secure, insecure http.RoundTripper
	credentials      *credentials
	timeout          time.Duration
	cache            *imageCache
}

func newImages(g *guard, pullSecrets secretReader, timeout time.Duration, logger *slog.Logger) *images {
	return &images{
		secure:      &registryTransport{base: g.transport(&tls.Config{MinVersion: tls.VersionTLS12}), scheme: "https"},
		insecure:    &registryTransport{base: g.transport(&tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true})}, // a policy's author asked for it
		credentials: &credentials{read: pullSecrets, logger: logger},
		timeout:     timeout,
		cache:       newImageCache(),
	}
}

// get gives image (as asked), resolvedImage (with its digest), registry, repository, identifier (tag, digest or
// tag@digest), manifestList (nil if the reference is no index), manifest and configData, both of linux/amd64.
// Source: Kyverno 1.19.1, pkg/engine/adapters/rclient.go.
func (i *images) get(ctx context.Context, call *engine.ImageCall) (map[string]any, error) {
	options := []name.Option{}
	if call.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(call.Reference, options...)
	if err != nil {
		return nil, fmt.Errorf("looking up image %q: %w", call.Reference, err)
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	found, err := i.content(ctx, call, ref)
	if err != nil {
		return nil, fmt.Errorf("looking up image %s: %w", call.Reference, late(ctx, withoutURL(err), i.timeout))
	}
	return map[string]any{
		"image":         call.Reference,
		"resolvedImage": ref.Context().Name() + "@" + found.digest,
		"registry":      ref.Context().RegistryStr(),
		"repository":    ref.Context().RepositoryStr(),
		"identifier":    identifier(call.Reference, ref),
		"manifestList":  found.manifestList,
		"manifest":      found.manifest,
		"configData":    found.config,
	}, nil
}

// identifier is the tag, the digest, or both of a reference that has both.
func identifier(reference string, ref name.Reference) string {
	before, digest, both := strings.Cut(reference, "@")
	if !both {
		return ref.Identifier()
	}
	if at := strings.LastIndex(before, ":"); at > strings.LastIndex(before, "/") {
		return before[at+1:] + "@" + digest
	}
	return ref.Identifier()
}

// content gives what is behind a reference, from memory if it can.
func (i *images) content(ctx context.Context, call *engine.ImageCall, ref name.Reference) (*imageContent, error) {
	who := access(call)
	digest := ""
	if byDigest, ok := ref.(name.Digest); ok {
		digest = byDigest.DigestStr()
	} else {
		digest = i.cache.digestOf(who, ref.Name())
	}
	if digest != "" {
		if found := i.cache.content(who, ref.Context().Name(), digest); found != nil {
			return found, nil
		}
	}
	keychain, err := i.credentials.of(ctx, call)
	if err != nil {
		return nil, err
	}
	transport := i.secure
	if call.Insecure {
		transport = i.insecure
	}
	descriptor, err := remote.Get(ref, remote.WithContext(ctx), remote.WithTransport(transport), remote.WithAuthFromKeychain(keychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}), remote.WithRetryBackoff(remote.Backoff{Duration: 100 * time.Millisecond, Steps: 2}))
	if err != nil {
		return nil, err
	}
	found, err := contentOf(descriptor)
	if err != nil {
		return nil, err
	}
	i.cache.keep(who, ref, found)
	return found, nil
}

// access names what a call may see: two calls with other credentials do not share answers.
func access(call *engine.ImageCall) string {
	secrets, providers := slices.Sorted(slices.Values(call.Secrets)), slices.Sorted(slices.Values(call.Providers))
	return fmt.Sprintf("%q %q %q %t", call.Namespace, secrets, providers, call.Insecure)
}

// contentOf reads manifest and configuration, as they are written: fields that we do not know stay.
func contentOf(descriptor *remote.Descriptor) (*imageContent, error) {
	found := &imageContent{digest: descriptor.Digest.String()}
	image, err := descriptor.Image()
	if err != nil {
		return nil, err
	}
	if descriptor.MediaType.IsIndex() {
		if found.manifestList, err = found.parse("index", descriptor.Manifest); err != nil {
			return nil, err
		}
	}
	raw, err := image.RawManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	if found.manifest, err = found.parse("manifest", raw); err != nil {
		return nil, err
	}
	if raw, err = image.RawConfigFile(); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	found.config, err = found.parse("configuration", raw)
	return found, err
}

// parse decodes a part of an image and adds its length.
func (c *imageContent) parse(part string, text []byte) (value any, err error) {
	if err = json.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("the %s is not JSON: %w", part, err)
	}
	c.size += int64(len(text))
	return value, nil
}

func (i *images) held() (objects int, bytes int64) { return i.cache.held() }

func (i *images) close() {
	for _, t := range []http.RoundTripper{i.secure, i.insecure} {
		t.(*registryTransport).base.CloseIdleConnections()
	}
}

// registryTransport bounds what registries answer. It refuses plain HTTP where that was not asked for: the client falls
// back to it by itself for addresses that look local, and would send a password in the clear.
type registryTransport struct {
	base   *http.Transport
	scheme string // the only one that is allowed, or ""
}

var errPlain = errors.New("the registry does not answer over TLS, and plain HTTP is allowed only where the policy says allowInsecureRegistry")

// RoundTrip is part of http.RoundTripper.
func (t *registryTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.scheme != "" && request.URL.Scheme != t.scheme {
		return nil, labeled{errPlain, errRefused}
	}
	response, err := t.base.RoundTrip(request)
	var noTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &noTLS):
		return nil, labeled{errPlain, errRefused}
	case err != nil:
		return nil, err
	}
	response.Body = &boundedBody{response.Body, maxManifest}
	return response, nil
}

// boundedBody is an error where it becomes too long.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read is part of io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLargef("the registry answers with more than %s, the limit of a look-up", megabytes(maxManifest))
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLargef("the registry answers with more than %s, the limit of a look-up", megabytes(maxManifest))
	}
	return n, err
}
