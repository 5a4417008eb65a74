package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// DefaultStrategy is for plans whose policy does not say: one target first, then a quarter at a time, and the first failure
// stops all. A Deployment has its default progress deadline of ten minutes; half of it is enough to see that a change went
// well, and half a minute between waves to see what it does to others.
func DefaultStrategy() v1alpha1.Strategy {
	return v1alpha1.Strategy{
		Canary: 1, Wave: intstr.FromString("25%"), MaxFailures: intstr.FromInt32(0),
		Pause: metav1.Duration{Duration: 30 * time.Second}, HealthTimeout: metav1.Duration{Duration: 5 * time.Minute},
	}
}
