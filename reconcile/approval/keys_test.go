package approval

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestReplicasShareOneKey(t *testing.T) {
	client := fake.NewClientset()
	clock := now
	keys := func() *SecretKeys {
		return &SecretKeys{Client: client.CoreV1().Secrets("holdfast"), Name: "k", Now: func() time.Time { return clock }}
	}
	first, second := keys(), keys()
	a, err := first.Key(t.Context())
	if err != nil || len(a) != keyBytes {
		t.Fatal(a, err)
	}
	if b, err := second.Key(t.Context()); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the second has another: %v", err)
	}
	another := bytes.Repeat([]byte("n"), keyBytes)
	if _, err := client.CoreV1().Secrets("holdfast").Update(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "k"}, Data: map[string][]byte{keyField: another}}, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(fresh)
	if b, err := first.Key(t.Context()); err != nil || !bytes.Equal(another, b) {
		t.Errorf("a key that was replaced is not used after a minute: %v", err)
	}
	client.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("away") })
	clock = clock.Add(fresh)
	if b, err := first.Key(t.Context()); err != nil || !bytes.Equal(another, b) {
		t.Errorf("while the API server is away: %v", err)
	}
	if _, err := keys().Key(t.Context()); err == nil || err.Error() != "reading the key of approvals in Secret k: away" {
		t.Errorf("got %v", err)
	}
}

func TestAKeyThatCouldBeGuessedIsRefused(t *testing.T) {
	client := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "holdfast", Name: "k"}, Data: map[string][]byte{keyField: []byte("short")}})
	keys := &SecretKeys{Client: client.CoreV1().Secrets("holdfast"), Name: "k", Now: time.Now}
	if _, err := keys.Key(t.Context()); err == nil || err.Error() != "reading the key of approvals in Secret k: 5 bytes are no key: expected 32" {
		t.Errorf("got %v", err)
	}
}

func TestAKeyInAFile(t *testing.T) {
	keys := FileKeys{filepath.Join(t.TempDir(), "approval.key")}
	a, err := keys.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := keys.Key(t.Context()); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the second time it is another: %v", err)
	}
	if info, err := os.Stat(keys.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// What a full disk leaves of a key must not be there for good.
func TestAKeyInAFileIsThereWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	keys := FileKeys{filepath.Join(dir, "gone", "approval.key")}
	if _, err := keys.Key(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the folder: %v", err)
	}
	keys.Path = filepath.Join(dir, "approval.key")
	first, err := keys.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.make(); err != nil { // as another who has found none
		t.Fatal(err)
	}
	if again, err := keys.Key(t.Context()); err != nil || !bytes.Equal(first, again) {
		t.Errorf("it is another since: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".approval*")); err != nil || len(left) > 0 {
		t.Errorf("left behind are %v, %v", left, err)
	}
}
