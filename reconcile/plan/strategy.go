package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// DefaultStrategy is for plans of which nobody says: one target first, then a quarter at a time, and the first failure
// stops all. A Deployment has its default progress deadline of ten minutes; half of it is enough to see that a change went
// well, and half a minute between waves to see what it does to others.
func DefaultStrategy() v1alpha1.Strategy {
	return v1alpha1.Strategy{
		Canary: 1, Wave: intstr.FromString("25%"), MaxFailures: intstr.FromInt32(0),
		Pause: metav1.Duration{Duration: 30 * time.Second}, HealthTimeout: metav1.Duration{Duration: 5 * time.Minute},
	}
}

// strategyOf is that of a policy for so many targets: what its annotation says, as far as it goes no further than the one given.
// The bundle's load refuses an annotation that cannot be read.
func strategyOf(p *engine.Policy, most v1alpha1.Strategy, targets int) v1alpha1.Strategy {
	said, err := bounds.ParseStrategy(p.Annotations[v1alpha1.AnnotationStrategy])
	if p.Annotations[v1alpha1.AnnotationStrategy] == "" || err != nil {
		return most
	}
	return said.Narrow(most, targets)
}
