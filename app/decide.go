package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/killswitch"
)

// Verb is what somebody decides about a Remediation.
type Verb string

// The verbs, as the commands are called.
const (
	VerbApprove  Verb = "approve"
	VerbReject   Verb = "reject"
	VerbPause    Verb = "pause"
	VerbResume   Verb = "resume"
	VerbRollback Verb = "rollback"
)

// DecideOptions are what the commands take that decide about Remediations.
type DecideOptions struct {
	Verb Verb
	// Names of the Remediations.
	Names []string
	// Everything, in the place of names, stops everything or lets it go on: pause and resume alone.
	Everything bool
	// Reason is for those who read it later.
	Reason string
	// Lasts is how long an approval counts at most; 0 for as long as serve says.
	Lasts time.Duration
	// Targets are the UIDs of the objects to be rolled back; none means all.
	Targets []string
	// Namespace is Holdfast's own, where the kill switch is.
	Namespace string
	// Kubeconfig leads to the cluster; empty means the usual places.
	Kubeconfig, Version string
}

// Validate names what cannot be.
func (o *DecideOptions) Validate() error {
	switch {
	case o.Everything && len(o.Names) > 0:
		return errors.New("--everything takes no names")
	case !o.Everything && len(o.Names) == 0:
		return errors.New("expected the NAME of a Remediation: kubectl get remediations")
	case o.Verb == VerbPause && o.Reason != "" && !o.Everything:
		return errors.New("--reason is for --everything: a single pause has no place for it")
	case o.Lasts < 0:
		return fmt.Errorf("--for %s: expected a positive time", o.Lasts)
	}
	return nil
}

// Decide writes what somebody decides into Remediations, as kubectl would, and says what came of it.
func Decide(ctx context.Context, opts DecideOptions, streams IO) (Exit, error) {
	clients, err := connect(userKubeconfig(opts.Kubeconfig), opts.Version, streams.Log)
	if err != nil {
		return Failed, err
	}
	defer clients.close()
	if opts.Everything {
		return decideAll(ctx, clients, &opts, streams)
	}
	client := clients.dynamic.Resource(v1alpha1.Remediations())
	var errs []error
	for _, name := range opts.Names {
		said, err := opts.decide(ctx, client, name)
		if err == nil {
			err = printf(streams.Out, "%s: %s\n", name, said)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return Failed, err
	}
	return Clean, nil
}

// decide decides about one, and says what came of it.
func (o *DecideOptions) decide(ctx context.Context, client dynamic.ResourceInterface, name string) (string, error) {
	u, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", fmt.Errorf("there is no Remediation %q: holdfast plan --cluster lists those that are pending", name)
	}
	if err != nil {
		return "", fmt.Errorf("reading Remediation %s: %w", name, err)
	}
	r, err := remediationOf(u.Object)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(map[string]any{"spec": o.spec(r, time.Now())})
	if err != nil {
		return "", fmt.Errorf("writing the decision about Remediation %s: %w", name, err)
	}
	u, err = client.Patch(ctx, name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: "holdfast"})
	if err != nil {
		return "", fmt.Errorf("%s Remediation %s: %w", o.Verb, name, err)
	}
	after, err := remediationOf(u.Object)
	if err != nil {
		return "", err
	}
	return o.said(after)
}

// spec is the part of a Remediation's spec that says so. A stamp is taken away, so that the webhook gives a new one.
func (o *DecideOptions) spec(r *v1alpha1.Remediation, now time.Time) map[string]any {
	switch o.Verb {
	case VerbPause, VerbResume:
		return map[string]any{"paused": o.Verb == VerbPause}
	case VerbRollback:
		asked := map[string]any{"reason": o.Reason, "askedBy": nil, "targets": nil}
		if len(o.Targets) > 0 {
			asked["targets"] = o.Targets
		}
		return map[string]any{"rollback": asked}
	}
	approval := map[string]any{"decision": v1alpha1.DecisionApprove, "planDigest": r.Spec.PlanDigest, "reason": o.Reason, "expires": nil, "stamp": nil}
	if o.Verb == VerbReject {
		approval["decision"] = v1alpha1.DecisionReject
	}
	if o.Lasts > 0 {
		approval["expires"] = metav1.NewTime(now.Add(o.Lasts))
	}
	return map[string]any{"approval": approval}
}

// errNoStamp: the API server has stored a decision and not asked Holdfast about it.
var errNoStamp = errors.New("the API server has not asked Holdfast's webhook, so that it does not count: see holdfast status")

// said says what was stored, if it counts.
func (o *DecideOptions) said(r *v1alpha1.Remediation) (string, error) {
	spec := &r.Spec
	switch o.Verb {
	case VerbPause:
		return "paused", nil
	case VerbResume:
		return "goes on", nil
	case VerbRollback:
		if spec.Rollback == nil || spec.Rollback.AskedBy == nil || spec.Rollback.AskedBy.Stamp == "" {
			return "", fmt.Errorf("rollback Remediation %s: %w", r.Name, errNoStamp)
		}
		return "will be rolled back, as " + spec.Rollback.AskedBy.User + " asks", nil
	}
	a := spec.Approval
	if a == nil || a.Stamp == "" {
		return "", fmt.Errorf("%s Remediation %s: %w", o.Verb, r.Name, errNoStamp)
	}
	if o.Verb == VerbReject {
		return "rejected by " + a.Approver, nil
	}
	out := "approved by " + a.Approver
	if a.Expires != nil {
		out += " until " + a.Expires.UTC().Format("2006-01-02 15:04 UTC")
	}
	if !r.Status.Mode.Allows(v1alpha1.Approve) {
		out += fmt.Sprintf("; nothing will be done, because the mode is %q", r.Status.Mode)
	}
	return out, nil
}

// decideAll throws the kill switch, or releases it.
func decideAll(ctx context.Context, clients *cluster, o *DecideOptions, streams IO) (Exit, error) {
	maps := clients.kube.CoreV1().ConfigMaps(o.Namespace)
	if o.Verb == VerbResume {
		already, err := killswitch.Resume(ctx, maps)
		if err != nil {
			return Failed, err
		}
		if already {
			return Clean, printf(streams.Out, "nothing was stopped\n")
		}
		return Clean, printf(streams.Out, "everything goes on\n")
	}
	by := ""
	// Who asks is for those who read it; the API server's own word for it, if it gives one.
	if self, err := clients.kube.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{}); err == nil {
		by = self.Status.UserInfo.Username
	}
	already, err := killswitch.Stop(ctx, maps, by, o.Reason)
	if err != nil {
		return Failed, err
	}
	if already {
		return Clean, printf(streams.Out, "everything was stopped already: holdfast status says by whom\n")
	}
	return Clean, printf(streams.Out, "everything is stopped: holdfast resume --everything lets it go on\n")
}

// CompleteRemediations lists the names of Remediations that the verb may be about, for a shell: none if they cannot be read
// at once.
func CompleteRemediations(ctx context.Context, opts DecideOptions, streams IO) []string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second) // somebody waits at a prompt
	defer cancel()
	clients, err := connect(userKubeconfig(opts.Kubeconfig), opts.Version, streams.Log)
	if err != nil {
		return nil
	}
	defer clients.close()
	var out []string
	page := metav1.ListOptions{Limit: pageOfPlans}
	for {
		got, err := clients.dynamic.Resource(v1alpha1.Remediations()).List(ctx, page)
		if err != nil {
			return out
		}
		for i := range got.Items {
			r, err := remediationOf(got.Items[i].Object)
			if err == nil && opts.Verb.fits(r) {
				out = append(out, r.Name)
			}
		}
		if page.Continue = got.GetContinue(); page.Continue == "" {
			return out
		}
	}
}

// fits reports whether there is something to decide.
func (v Verb) fits(r *v1alpha1.Remediation) bool {
	switch phase := r.Status.Phase; v {
	case VerbRollback:
		return phase.Acting() || phase == v1alpha1.PhaseSucceeded || phase == v1alpha1.PhaseFailed
	case VerbResume:
		return r.Spec.Paused
	case VerbPause:
		return !r.Spec.Paused && !phase.Ended()
	default:
		return !phase.Ended() && !phase.Acting()
	}
}
