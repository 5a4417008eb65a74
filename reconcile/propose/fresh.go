package propose

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// fresh are Remediations as this process has written them last, for as long as the watch has not told of it: what one worker is
// about to do counts for the next, however late the watch is.
type fresh struct {
	mu sync.Mutex
	of map[string]*v1alpha1.Remediation
}

// wrote keeps what was written, without what is long and does not count.
func (f *fresh) wrote(r *v1alpha1.Remediation) {
	kept := r.DeepCopy()
	kept.ManagedFields = nil
	for i := range kept.Spec.Plan.Targets {
		t := &kept.Spec.Plan.Targets[i]
		t.Patch, t.Inverse, t.Diff, t.Repairs = "", "", "", nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil {
		f.of = map[string]*v1alpha1.Remediation{}
	}
	f.of[r.Name] = kept
}

// heard takes in that the watch tells of a version.
func (f *fresh) heard(name string, uid types.UID, version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept := f.of[name]; kept != nil && !newer(kept, uid, version) {
		delete(f.of, name)
	}
}

// gone takes in that there is none of that name.
func (f *fresh) gone(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.of, name)
}

// instead gives what was written since a state that the watch has told of; nil for nothing.
func (f *fresh) instead(name string, uid types.UID, version string) *v1alpha1.Remediation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept := f.of[name]; kept != nil && newer(kept, uid, version) {
		return kept
	}
	return nil
}

// newer reports whether what was written is newer than a version of the same object. Versions that cannot be compared are no
// reason to go by what may be outdated.
func newer(kept *v1alpha1.Remediation, uid types.UID, version string) bool {
	order, err := resourceversion.CompareResourceVersion(kept.ResourceVersion, version)
	return err == nil && order > 0 && kept.UID == uid
}
