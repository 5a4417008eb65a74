package lookup

import (
	"container/list"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	// tagLife is how long a tag is taken to name the same digest: a deployment's replicas come within it, and a tag
	// that was moved is seen soon.
	tagLife = time.Minute
	// digestLife is how long what is behind a digest is kept: it never changes, but the right to read it may end.
	digestLife = time.Hour
	// maxImages and maxImageBytes bound the memory: a manifest with its configuration is some 10 kB long.
	maxImages     = 2048
	maxImageBytes = 32 << 20
)

// imageContent is what is behind a digest, decoded. It is shared and not changed.
type imageContent struct {
	digest                         string
	manifestList, manifest, config any
	size                           int64
}

// imageCache remembers images, the ones that were asked for last.
type imageCache struct {
	mu      sync.Mutex
	byKey   map[cacheKey]*list.Element
	recent  *list.List // of *cached, the latest first
	objects int
	bytes   int64
}

// cacheKey is a tag (name with it) or a digest (name of the repository, digest) as somebody may see it.
type cacheKey struct{ access, name, digest string }

type cached struct {
	key     cacheKey
	digest  string        // of a tag
	content *imageContent // of a digest
	expires time.Time
	size    int64
}

func newImageCache() *imageCache {
	return &imageCache{byKey: map[cacheKey]*list.Element{}, recent: list.New()}
}

// digestOf gives the digest that a tag named not long ago, or "".
func (c *imageCache) digestOf(access, tag string) string {
	if found := c.get(cacheKey{access: access, name: tag}); found != nil {
		return found.digest
	}
	return ""
}

// content gives what is behind a digest of a repository, or nil.
func (c *imageCache) content(access, repository, digest string) *imageContent {
	if found := c.get(cacheKey{access, repository, digest}); found != nil {
		return found.content
	}
	return nil
}

func (c *imageCache) get(key cacheKey) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.byKey[key]
	if element == nil {
		return nil
	}
	found := element.Value.(*cached)
	if time.Now().After(found.expires) {
		c.drop(element)
		return nil
	}
	c.recent.MoveToFront(element)
	return found
}

// keep remembers what was behind a reference.
func (c *imageCache) keep(access string, ref name.Reference, content *imageContent) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, byTag := ref.(name.Tag); byTag {
		c.add(&cached{key: cacheKey{access: access, name: ref.Name()}, digest: content.digest, expires: now.Add(tagLife), size: int64(len(ref.Name()))})
	}
	c.add(&cached{key: cacheKey{access, ref.Context().Name(), content.digest}, content: content, expires: now.Add(digestLife), size: content.size})
	for c.recent.Len() > maxImages || c.bytes > maxImageBytes {
		c.drop(c.recent.Back())
	}
}

func (c *imageCache) add(entry *cached) {
	if old := c.byKey[entry.key]; old != nil {
		c.drop(old)
	}
	c.byKey[entry.key] = c.recent.PushFront(entry)
	c.bytes += entry.size
	if entry.content != nil {
		c.objects++
	}
}

func (c *imageCache) drop(element *list.Element) {
	gone := c.recent.Remove(element).(*cached)
	delete(c.byKey, gone.key)
	c.bytes -= gone.size
	if gone.content != nil {
		c.objects--
	}
}

func (c *imageCache) held() (objects int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects, c.bytes
}
