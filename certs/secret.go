package certs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// SecretOptions say which Secret holds the CA and the certificate that all replicas share.
type SecretOptions struct {
	// Client may get, create and update the Secret, and list and watch it by its name.
	Client kubernetes.Interface
	// Namespace is Holdfast's own. Required.
	Namespace string
	// Name of the Secret. Default: holdfast-webhook-certs.
	Name string
	// Names are what API servers call the webhook: SERVICE.NAMESPACE.svc. Required.
	Names     []string
	Lifetimes Lifetimes
	// Logger default: nothing is written.
	Logger *slog.Logger
	// Metrics is where holdfast_certificate_expiry_seconds is registered. Default: nowhere.
	Metrics prometheus.Registerer
}

const defaultSecretName = "holdfast-webhook-certs"

// NewSecret makes a Rotator whose state is in a Secret.
func NewSecret(o SecretOptions) (*Rotator, error) {
	switch {
	case o.Client == nil:
		return nil, errors.New("certificate options: Client is missing")
	case o.Namespace == "":
		return nil, errors.New("certificate options: Namespace is missing")
	}
	if o.Name == "" {
		o.Name = defaultSecretName
	}
	s := &secretStore{client: o.Client, namespace: o.Namespace, name: o.Name, logger: o.Logger}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	return newRotator(s, rotatorOptions{names: o.Names, lifetimes: o.Lifetimes, logger: o.Logger, metrics: o.Metrics})
}

// secretStore keeps a Rotator's state in a Secret. Of two writers, the API server refuses the second.
type secretStore struct {
	client          kubernetes.Interface
	namespace, name string
	logger          *slog.Logger
	// read is the Secret as load saw it; nil when there was none.
	read *corev1.Secret
}

func (s *secretStore) String() string { return "Secret " + s.namespace + "/" + s.name }

func (s *secretStore) load(ctx context.Context) (map[string][]byte, error) {
	secret, err := s.client.CoreV1().Secrets(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	s.read = nil
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.read = secret
	if len(secret.Data) == 0 { // made by somebody for us to fill
		return nil, nil
	}
	return secret.Data, nil
}

func (s *secretStore) save(ctx context.Context, data map[string][]byte) (err error) {
	secrets := s.client.CoreV1().Secrets(s.namespace)
	if s.read == nil {
		s.read, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Name: s.name, Namespace: s.namespace,
				Labels: map[string]string{"app.kubernetes.io/managed-by": "holdfast"},
			},
			Data: data,
		}, metav1.CreateOptions{})
	} else {
		secret := s.read.DeepCopy()
		secret.Data = data
		s.read, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || (apierrors.IsNotFound(err) && s.read != nil) {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}

func (s *secretStore) watch(ctx context.Context, poke func()) {
	informer := informers.NewFilteredSecretInformer(s.client, s.namespace, 0, cache.Indexers{}, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, s.name).String()
	})
	// Only the news counts: keys need not lie in another place. These calls fail on an informer that runs
	// already, which this one does not.
	_ = informer.SetTransform(func(o any) (any, error) {
		secret, ok := o.(*corev1.Secret)
		if !ok {
			return o, nil
		}
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID, ResourceVersion: secret.ResourceVersion,
		}}, nil
	})
	_ = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		s.logger.DebugContext(ctx, "watching the certificates", "store", s.String(), "error", err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { poke() },
		UpdateFunc: func(any, any) { poke() },
		DeleteFunc: func(any) { poke() },
	})
	informer.RunWithContext(ctx)
}
