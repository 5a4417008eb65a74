package approval

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// keyBytes is what HMAC-SHA-256 makes the most of.
const keyBytes = 32

// keyField is where the Secret has the key.
const keyField = "key"

// fresh is how long a key is used before it is read again: who replaces the Secret has it used within a minute.
const fresh = time.Minute

// SecretKeys keeps the key in a Secret, which all replicas share. The first to need one makes it.
type SecretKeys struct {
	Client coreclient.SecretInterface
	Name   string
	Now    func() time.Time // the clock

	mu   sync.Mutex
	key  []byte
	read time.Time
}

// Key gives the key. One that cannot be read again goes on being used.
func (k *SecretKeys) Key(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.Now()
	if k.key != nil && now.Sub(k.read) < fresh {
		return k.key, nil
	}
	key, err := k.get(ctx)
	switch {
	case err == nil:
		k.key, k.read = key, now
	case k.key == nil:
		return nil, fmt.Errorf("reading the key of approvals in Secret %s: %w", k.Name, err)
	}
	return k.key, nil
}

// get reads the Secret, or makes it.
func (k *SecretKeys) get(ctx context.Context) ([]byte, error) {
	secret, err := k.Client.Get(ctx, k.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		key, random := newKey()
		if random != nil {
			return nil, random
		}
		secret, err = k.Client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: k.Name}, Data: map[string][]byte{keyField: key}}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) { // another replica was first
			secret, err = k.Client.Get(ctx, k.Name, metav1.GetOptions{})
		}
	}
	if err != nil {
		return nil, err
	}
	return checkKey(secret.Data[keyField])
}

// FileKeys keeps the key in a file, for a process outside of a cluster.
type FileKeys struct{ Path string }

// Key gives the key, which is made if there is none.
func (k FileKeys) Key(context.Context) ([]byte, error) {
	key, err := os.ReadFile(k.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = k.make(); err == nil {
			key, err = os.ReadFile(k.Path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of approvals: %w", err)
	}
	return checkKey(key)
}

// make makes a key, whole or not at all: half of one, on a full disk, would stay. One that is there by now stays.
func (k FileKeys) make() (err error) {
	key, err := newKey()
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(k.Path), "."+filepath.Base(k.Path)+"-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	_, err = temp.Write(key)
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), k.Path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func newKey() ([]byte, error) {
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// checkKey refuses one that could be guessed.
func checkKey(key []byte) ([]byte, error) {
	if len(key) < keyBytes {
		return nil, fmt.Errorf("%d bytes are no key: expected %d", len(key), keyBytes)
	}
	return key, nil
}
