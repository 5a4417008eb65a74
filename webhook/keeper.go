package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	informers "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// fieldManager marks our writes in managedFields.
const fieldManager = "holdfast-webhook"

// change is what was done to a configuration.
type change uint8

const (
	unchanged change = iota
	created          // it was not there yet
	updated          // the bundle, the certificates or the API server's types have changed
	repaired         // somebody had edited or deleted it
	removed          // no rule needs it any more
	waiting          // somebody has changed it, and it is left alone for a while
	stricter         // it refuses on failure, and what is wanted does not: it is left alone
)

func (c change) String() string {
	return [...]string{"unchanged", "created", "updated", "repaired", "removed", "waiting", "stricter"}[c]
}

// kindOfConfiguration is what the registrar does with each of the two configurations.
type kindOfConfiguration interface {
	label() string
	// watch calls poke whenever the configuration changes, until ctx ends.
	watch(ctx context.Context, poke func(), logger *slog.Logger)
	// apply brings the configuration to what is wanted. What somebody else has changed it leaves alone at
	// first, for the time of patience.
	apply(ctx context.Context, wanted Configurations, patience time.Duration) (change, error)
	// remove takes it away if it points to the endpoint.
	remove(ctx context.Context, e Endpoint) (bool, error)
}

// client is what client-go offers for each of the two kinds.
type client[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Create(ctx context.Context, object T, opts metav1.CreateOptions) (T, error)
	Update(ctx context.Context, object T, opts metav1.UpdateOptions) (T, error)
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
}

// keeper keeps one configuration. W is the type of its entries.
type keeper[T metav1.Object, W any] struct {
	kind, name string
	client     client[T]
	informer   cache.SharedIndexInformer
	// pick takes the configuration out of what is wanted; false when none is.
	pick func(Configurations) (T, bool)
	// entries gives access to the list of entries.
	entries func(T) *[]W
	// reaches gives where an entry points.
	reaches func(*W) *admissionregistrationv1.WebhookClientConfig
	// failure gives an entry's failurePolicy.
	failure func(*W) *admissionregistrationv1.FailurePolicyType
	// last is the list that was right when last looked at; nil when the configuration was not to be there.
	last []W
	// looked says that there was such a look.
	looked bool
	// changed is when somebody else's change was first seen; zero when there is none.
	changed time.Time
}

func configurationKinds(c kubernetes.Interface, name string) [2]kindOfConfiguration {
	only := func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}
	return [2]kindOfConfiguration{
		&keeper[*admissionregistrationv1.ValidatingWebhookConfiguration, admissionregistrationv1.ValidatingWebhook]{
			kind: "validating", name: name,
			client:   c.AdmissionregistrationV1().ValidatingWebhookConfigurations(),
			informer: informers.NewFilteredValidatingWebhookConfigurationInformer(c, 0, cache.Indexers{}, only),
			pick: func(w Configurations) (*admissionregistrationv1.ValidatingWebhookConfiguration, bool) {
				return w.Validating, w.Validating != nil
			},
			entries: func(o *admissionregistrationv1.ValidatingWebhookConfiguration) *[]admissionregistrationv1.ValidatingWebhook {
				return &o.Webhooks
			},
			reaches: func(w *admissionregistrationv1.ValidatingWebhook) *admissionregistrationv1.WebhookClientConfig {
				return &w.ClientConfig
			},
			failure: func(w *admissionregistrationv1.ValidatingWebhook) *admissionregistrationv1.FailurePolicyType {
				return w.FailurePolicy
			},
		},
		&keeper[*admissionregistrationv1.MutatingWebhookConfiguration, admissionregistrationv1.MutatingWebhook]{
			kind: "mutating", name: name,
			client:   c.AdmissionregistrationV1().MutatingWebhookConfigurations(),
			informer: informers.NewFilteredMutatingWebhookConfigurationInformer(c, 0, cache.Indexers{}, only),
			pick: func(w Configurations) (*admissionregistrationv1.MutatingWebhookConfiguration, bool) {
				return w.Mutating, w.Mutating != nil
			},
			entries: func(o *admissionregistrationv1.MutatingWebhookConfiguration) *[]admissionregistrationv1.MutatingWebhook {
				return &o.Webhooks
			},
			reaches: func(w *admissionregistrationv1.MutatingWebhook) *admissionregistrationv1.WebhookClientConfig {
				return &w.ClientConfig
			},
			failure: func(w *admissionregistrationv1.MutatingWebhook) *admissionregistrationv1.FailurePolicyType {
				if strings.HasSuffix(w.Name, guardSuffix) {
					return nil // it always does, which says nothing of the policies
				}
				return w.FailurePolicy
			},
		},
	}
}

func (k *keeper[T, W]) label() string { return k.kind }

func (k *keeper[T, W]) watch(ctx context.Context, poke func(), logger *slog.Logger) {
	// Only the news counts: what is there is read when it is compared. Both calls fail on an informer
	// that runs already, which this one does not.
	_ = k.informer.SetTransform(func(o any) (any, error) {
		object, ok := o.(T)
		if !ok {
			return o, nil
		}
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
		}}, nil
	})
	_ = k.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		logger.DebugContext(ctx, "watching a webhook configuration", "kind", k.kind, "error", err)
	})
	_, _ = k.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { poke() },
		UpdateFunc: func(any, any) { poke() },
		DeleteFunc: func(any) { poke() },
	})
	k.informer.RunWithContext(ctx)
}

func (k *keeper[T, W]) apply(ctx context.Context, all Configurations, patience time.Duration) (change, error) {
	done, err := k.bring(ctx, all, patience)
	if err != nil {
		return unchanged, fmt.Errorf("keeping the %s webhook configuration %s: %w", k.kind, k.name, err)
	}
	if done == waiting || done == stricter {
		return done, nil
	}
	k.changed, k.looked, k.last = time.Time{}, true, k.wantedEntries(all)
	return done, nil
}

// wantedEntries is the list that is wanted, nil when the configuration is not to be there.
func (k *keeper[T, W]) wantedEntries(all Configurations) []W {
	if wanted, ok := k.pick(all); ok {
		return *k.entries(wanted)
	}
	return nil
}

// patient reports whether a difference is to be left alone still: it is somebody else's doing, because what
// is wanted was there when last looked at, and it is younger than patience.
func (k *keeper[T, W]) patient(all Configurations, patience time.Duration) bool {
	if patience == 0 || !k.looked || !equality.Semantic.DeepEqual(k.last, k.wantedEntries(all)) {
		return false
	}
	now := time.Now()
	if k.changed.IsZero() {
		k.changed = now
	}
	return now.Sub(k.changed) < patience
}

func (k *keeper[T, W]) bring(ctx context.Context, all Configurations, patience time.Duration) (change, error) {
	live, err := k.client.Get(ctx, k.name, metav1.GetOptions{})
	absent := apierrors.IsNotFound(err)
	if err != nil && !absent {
		return unchanged, err
	}
	wanted, needed := k.pick(all)
	switch {
	case !needed && (absent || !isOurs(live)):
		return unchanged, nil
	case all.Forgiving && !absent && isOurs(live) && k.refuses(live):
		return stricter, nil
	case needed && !absent && isOurs(live) && equality.Semantic.DeepEqual(*k.entries(live), *k.entries(wanted)) && owned(live, wanted):
		return unchanged, nil
	case k.patient(all, patience):
		return waiting, nil
	case !needed:
		return removed, k.delete(ctx, live)
	case absent:
		_, err := k.client.Create(ctx, wanted, metav1.CreateOptions{FieldManager: fieldManager})
		if k.was(wanted) {
			return repaired, err
		}
		return created, err
	}
	// Not by server-side apply: entries and conditions that somebody adds would remain beside ours.
	*k.entries(live) = *k.entries(wanted)
	labels := maps.Clone(live.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, wanted.GetLabels())
	live.SetLabels(labels)
	if !owned(live, wanted) {
		live.SetOwnerReferences(wanted.GetOwnerReferences())
	}
	_, err = k.client.Update(ctx, live, metav1.UpdateOptions{FieldManager: fieldManager})
	if k.was(wanted) {
		return repaired, err
	}
	return updated, err
}

// was reports whether the configuration was once what is wanted now, so that somebody else must have
// changed it.
func (k *keeper[T, W]) was(wanted T) bool {
	return k.last != nil && equality.Semantic.DeepEqual(k.last, *k.entries(wanted))
}

// refuses reports whether the configuration has an entry without whose answer a write is refused.
func (k *keeper[T, W]) refuses(live T) bool {
	return slices.ContainsFunc(*k.entries(live), func(w W) bool {
		p := k.failure(&w)
		return p != nil && *p == admissionregistrationv1.Fail
	})
}

func isOurs(o metav1.Object) bool { return o.GetLabels()[managedBy[0]] == managedBy[1] }

// owned reports whether a configuration has all owners that it is to have. Others do no harm: what has an owner stays as
// long as one of them does.
func owned(live, wanted metav1.Object) bool {
	for _, o := range wanted.GetOwnerReferences() {
		if !slices.ContainsFunc(live.GetOwnerReferences(), func(have metav1.OwnerReference) bool { return have.UID == o.UID }) {
			return false
		}
	}
	return true
}

// delete removes what was read, and nothing that came in its place.
func (k *keeper[T, W]) delete(ctx context.Context, live T) error {
	uid, version := live.GetUID(), live.GetResourceVersion()
	err := k.client.Delete(ctx, k.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (k *keeper[T, W]) remove(ctx context.Context, e Endpoint) (bool, error) {
	live, err := k.client.Get(ctx, k.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entries := *k.entries(live)
	if slices.ContainsFunc(entries, func(w W) bool { return !e.is(k.reaches(&w)) }) {
		return false, nil // another process has taken over
	}
	return true, k.delete(ctx, live)
}

// retriable tells errors that another writer explains from those that somebody has to look at.
func retriable(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}
