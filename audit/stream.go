package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
)

// errNoStreams says that the server does not send objects as the first events of a watch, and will not.
var errNoStreams = errors.New("the server sends no initial events")

// quiet is how long a server may send nothing while it is to send all objects: one that does not know what is asked of
// it never says that it has come to their end.
const quiet = time.Minute

// streams reports whether to ask for the objects as events. A fake client says that it cannot do it.
func (w *watcher) streams() bool {
	fake, ok := w.auditor.opts.Client.(interface{ IsWatchListSemanticsUnSupported() bool })
	return !w.paged.Load() && !(ok && fake.IsWatchListSemanticsUnSupported())
}

// stream reads all objects as the first events of a watch, one at a time, and gives the watch, which goes on with what
// happens to them. The server keeps no pages for it, and we none.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists
func (w *watcher) stream(ctx context.Context, s *sweep) (watch.Interface, string, error) {
	initial := true
	stream, err := w.auditor.opts.Client.Resource(w.typ.Resource).Watch(ctx, metav1.ListOptions{
		SendInitialEvents: &initial, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true,
	})
	if err != nil {
		return nil, "", refused(err)
	}
	version, err := w.initial(ctx, stream, s)
	if err != nil {
		stream.Stop()
		return nil, "", err
	}
	return stream, version, nil
}

// refused tells an error that the server has with the question from others.
func refused(err error) error {
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return fmt.Errorf("%w: %w", errNoStreams, err)
	}
	return err
}

// initial takes events until the server says that these were all objects.
func (w *watcher) initial(ctx context.Context, stream watch.Interface, s *sweep) (string, error) {
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-silence.C:
			return "", errNoStreams
		case event, open := <-stream.ResultChan():
			if !open {
				return "", errors.New("the server ended the watch before all objects were sent")
			}
			silence.Reset(quiet)
			version, last, err := w.take(ctx, event, s)
			if err != nil {
				return "", refused(err)
			}
			if last {
				return version, nil
			}
		}
	}
}

// take offers the object of an event, which a sweep finds or, with none, has just happened. It gives the version that the watch has come to, and whether this is the end of
// the initial events.
func (w *watcher) take(ctx context.Context, event watch.Event, s *sweep) (version string, last bool, err error) {
	if event.Type == watch.Error {
		return "", false, apierrors.FromObject(event.Object)
	}
	u, ok := event.Object.(*unstructured.Unstructured)
	if !ok {
		return "", false, fmt.Errorf("the server sent a %T", event.Object)
	}
	version = u.GetResourceVersion() // now: what is offered belongs to the pool
	switch event.Type {
	case watch.Added, watch.Modified:
		w.offer(ctx, u, s)
	case watch.Deleted:
		w.offerGone(ctx, u)
	case watch.Bookmark:
		last = u.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true"
	}
	return version, last, nil
}
