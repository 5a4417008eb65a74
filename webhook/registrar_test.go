package webhook

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/engine"
)

// contextUntil ends with the channel.
func contextUntil(t *testing.T, stop <-chan struct{}) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-stop
		cancel()
	}()
	return ctx
}

// source is a CA bundle or a list of resources that a test changes.
type source struct {
	mu        sync.Mutex
	bundle    []byte
	resources []Resource
	changed   chan struct{}
}

func newSource() *source { return &source{changed: make(chan struct{}, 1)} }

func (s *source) CABundle() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bundle
}

func (s *source) Resources() []Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resources
}

func (s *source) Changed() <-chan struct{} { return s.changed }

func (s *source) set(bundle string, resources []Resource) {
	s.mu.Lock()
	s.bundle, s.resources = []byte(bundle), resources
	s.mu.Unlock()
	signal(s.changed)
}

// office is a registrar under test.
type office struct {
	*Registrar
	client    *fake.Clientset
	snapshots *snapshots
	certs     *source
	types     *source
	log       *bytes.Buffer
	metrics   *prometheus.Registry
	stop      func()
}

// open makes a registrar and runs it; change its options before.
func open(t *testing.T, client *fake.Clientset, policies string, change ...func(*RegistrarOptions)) *office {
	t.Helper()
	o := &office{client: client, snapshots: &snapshots{}, certs: newSource(), types: newSource(), log: &bytes.Buffer{}, metrics: prometheus.NewPedanticRegistry()}
	o.snapshots.Store(compile(t, policies))
	o.certs.set("CA", nil)
	o.types.set("", cluster())
	opts := RegistrarOptions{
		Client: client, Snapshots: o.snapshots, Certificates: o.certs, Resources: o.types,
		Endpoint: Endpoint{URL: "https://127.0.0.1:9443"}, Spared: Spared{Namespaces: []string{"holdfast"}},
		Logger: slog.New(slog.NewTextHandler(o.log, nil)), Metrics: o.metrics,
	}
	for _, c := range change {
		c(&opts)
	}
	var err error
	if o.Registrar, err = NewRegistrar(opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := o.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	o.stop = func() { cancel(); running.Wait() }
	t.Cleanup(o.stop)
	synctest.Wait()
	return o
}

func (o *office) validating(t *testing.T) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	got, err := o.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (o *office) mutating(t *testing.T) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	got, err := o.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (o *office) wrote(t *testing.T, want map[string]float64) {
	t.Helper()
	got := map[string]float64{}
	for k, v := range gathered(t, o.metrics) {
		if name, ok := strings.CutPrefix(k, "holdfast_webhook_configuration_writes_total"); ok {
			got[name] = v
		}
	}
	same(t, got, want)
}

const both = "{change=created,configuration="

func TestTheConfigurationsAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, fake.NewClientset(), allPolicies())
		<-o.Ready()
		want, err := Configure(wanted(t, allPolicies()))
		if err != nil {
			t.Fatal(err)
		}
		same(t, o.validating(t).Webhooks, want.Validating.Webhooks)
		same(t, o.mutating(t).Webhooks, want.Mutating.Webhooks)
		o.wrote(t, map[string]float64{both + "mutating}": 1, both + "validating}": 1})
		if gathered(t, o.metrics)["holdfast_webhook_configuration_in_sync{}"] != 1 {
			t.Error("not in sync")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		o.wrote(t, map[string]float64{both + "mutating}": 1, both + "validating}": 1})
	})
}

// What somebody does to a configuration is undone, at once and whatever it is.
func TestWhatSomebodyEditsIsPutRight(t *testing.T) {
	ctx := context.Background()
	for name, edit := range map[string]func(*fake.Clientset, *admissionregistrationv1.ValidatingWebhookConfiguration) error{
		"deleted": func(c *fake.Clientset, v *admissionregistrationv1.ValidatingWebhookConfiguration) error {
			return c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, v.Name, metav1.DeleteOptions{})
		},
		"failurePolicy loosened": func(c *fake.Clientset, v *admissionregistrationv1.ValidatingWebhookConfiguration) error {
			v.Webhooks[0].FailurePolicy = ptr(admissionregistrationv1.Ignore)
			_, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, v, metav1.UpdateOptions{})
			return err
		},
		"rules taken out": func(c *fake.Clientset, v *admissionregistrationv1.ValidatingWebhookConfiguration) error {
			v.Webhooks[0].Rules = v.Webhooks[0].Rules[:1]
			_, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, v, metav1.UpdateOptions{})
			return err
		},
		"a condition added": func(c *fake.Clientset, v *admissionregistrationv1.ValidatingWebhookConfiguration) error {
			v.Webhooks[0].MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "never", Expression: "false"}}
			_, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, v, metav1.UpdateOptions{})
			return err
		},
		"an entry added": func(c *fake.Clientset, v *admissionregistrationv1.ValidatingWebhookConfiguration) error {
			v.Webhooks = append(v.Webhooks, v.Webhooks[0])
			v.Webhooks[len(v.Webhooks)-1].Name = "theirs.example.com"
			_, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, v, metav1.UpdateOptions{})
			return err
		},
		"the label taken off": func(c *fake.Clientset, v *admissionregistrationv1.ValidatingWebhookConfiguration) error {
			v.Labels = map[string]string{"theirs": "stays"}
			_, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, v, metav1.UpdateOptions{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := open(t, fake.NewClientset(), allPolicies())
				want := o.validating(t)
				start := time.Now()
				if err := edit(o.client, o.validating(t)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %s", took)
				}
				got := o.validating(t)
				if got == nil {
					t.Fatal("it is still gone")
				}
				same(t, got.Webhooks, want.Webhooks)
				if got.Labels[managedBy[0]] != managedBy[1] || (name == "the label taken off" && got.Labels["theirs"] != "stays") {
					t.Errorf("labels are %v", got.Labels)
				}
				o.wrote(t, map[string]float64{both + "mutating}": 1, both + "validating}": 1, "{change=repaired,configuration=validating}": 1})
			})
		})
	}
}

func TestTheConfigurationsHaveAnOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		owner := metav1.OwnerReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "ours", UID: "u-1"}
		var gone error
		o := open(t, fake.NewClientset(), allPolicies(), func(opts *RegistrarOptions) {
			opts.Owners = func(context.Context) ([]metav1.OwnerReference, error) { return []metav1.OwnerReference{owner}, gone }
		})
		owners := func(want ...metav1.OwnerReference) {
			t.Helper()
			same(t, o.validating(t).OwnerReferences, want)
			same(t, o.mutating(t).OwnerReferences, want)
		}
		owners(owner)
		owner.UID = "u-2"
		o.Poke()
		synctest.Wait()
		owners(owner)
		theirs := metav1.OwnerReference{APIVersion: "v1", Kind: "Namespace", Name: "theirs", UID: "u-3"}
		v := o.validating(t)
		v.OwnerReferences = append(v.OwnerReferences, theirs)
		configurations := o.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
		if _, err := configurations.Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		same(t, o.validating(t).OwnerReferences, []metav1.OwnerReference{owner, theirs})

		// The owner is deleted, and what it owned after it: that is not put right.
		gone = errors.New("not found")
		if err := configurations.Delete(t.Context(), v.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if o.validating(t) != nil {
			t.Error("it is back")
		}
		if want := `error="finding the owners of the webhook configurations: not found"`; !strings.Contains(o.log.String(), want) {
			t.Errorf("the log has no %s: %s", want, o.log)
		}
	})
}

// Somebody who edits for ever gets ever slower answers: the API server must not pay for a fight.
func TestAFightSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		o := open(t, client, allPolicies())
		stop := time.After(10 * time.Minute)
		for fighting := true; fighting; {
			select {
			case <-stop:
				fighting = false
			case <-time.After(time.Second):
				v := o.validating(t)
				v.Webhooks = v.Webhooks[:1]
				if _, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		n := gathered(t, o.metrics)["holdfast_webhook_configuration_writes_total{change=repaired,configuration=validating}"]
		if n < 20 || n > 35 {
			t.Errorf("%v repairs in ten minutes", n)
		}
		// After peace, the next edit is undone at once.
		time.Sleep(time.Hour)
		synctest.Wait()
		v := o.validating(t)
		v.Webhooks = v.Webhooks[:1]
		if _, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(o.validating(t).Webhooks) == 1 {
			t.Error("it waits, though there was peace")
		}
	})
}

func TestTheConfigurationsFollowWhatTheyAreMadeOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, fake.NewClientset(), allPolicies())
		o.certs.set("another CA", nil)
		synctest.Wait()
		if got := string(o.mutating(t).Webhooks[0].ClientConfig.CABundle); got != "another CA" {
			t.Errorf("the CA bundle is %s", got)
		}
		o.snapshots.Store(compile(t, rule("p", kindsOf("Squid, ConfigMap"), checks)))
		o.Poke()
		synctest.Wait()
		if got := rulesOf(o.validating(t).Webhooks[0].Rules); got != `CREATE,UPDATE [""] v1 configmaps Namespaced` {
			t.Errorf("the rules are %s", got)
		}
		if o.mutating(t) != nil {
			t.Error("nothing mutates, and a configuration remains")
		}
		same(t, o.Unserved(), []Unserved{{Kind: "*/*/Squid", Policies: []string{"p"}}})
		if !strings.Contains(o.log.String(), `level=WARN msg="the API server does not serve a kind that policies select; it is left out until it appears" kind=*/*/Squid policies=[p]`) {
			t.Errorf("the log says %s", o.log)
		}
		if got := gathered(t, o.metrics)["holdfast_webhook_unserved_kinds{}"]; got != 1 {
			t.Errorf("%v kinds are not served", got)
		}
		o.types.set("", append(cluster(), Resource{Group: "example.com", Version: "v1", Name: "squids", Kind: "Squid", Verbs: []string{"create"}}))
		synctest.Wait()
		if got, want := rulesOf(o.validating(t).Webhooks[0].Rules), `CREATE,UPDATE [""] v1 configmaps Namespaced`+"\n"+`CREATE ["example.com"] v1 squids Cluster`; got != want {
			t.Errorf("the rules are %s\nexpected %s", got, want)
		}
		if len(o.Unserved()) != 0 {
			t.Errorf("still not served: %v", o.Unserved())
		}
		o.snapshots.Store(compile(t, ""))
		o.Poke()
		synctest.Wait()
		if o.validating(t) != nil {
			t.Error("the bundle is empty, and a configuration remains")
		}
		o.wrote(t, map[string]float64{
			both + "mutating}": 1, both + "validating}": 1,
			"{change=updated,configuration=mutating}": 1, "{change=updated,configuration=validating}": 3,
			"{change=removed,configuration=mutating}": 1, "{change=removed,configuration=validating}": 1,
		})
	})
}

// Nothing is registered as long as it could not be answered or would not be trusted.
func TestNothingIsWrittenTooEarly(t *testing.T) {
	for name, missing := range map[string]func(*RegistrarOptions){
		"no bundle":       func(o *RegistrarOptions) { o.Snapshots = &snapshots{} },
		"no certificates": func(o *RegistrarOptions) { o.Certificates = newSource() },
		"no types":        func(o *RegistrarOptions) { o.Resources = newSource() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := open(t, fake.NewClientset(), allPolicies(), missing)
				time.Sleep(time.Hour)
				synctest.Wait()
				if o.validating(t) != nil || o.mutating(t) != nil {
					t.Error("a configuration was written")
				}
				select {
				case <-o.Ready():
					t.Error("ready")
				default:
				}
			})
		})
	}
}

func TestAnAPIServerThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		down := true
		var mu sync.Mutex
		client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return true, nil, errors.New("the API server is down")
			}
			return false, nil, nil
		})
		o := open(t, client, allPolicies())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := gathered(t, o.metrics)["holdfast_webhook_configuration_failures_total{}"]; n < 20 || n > 30 {
			t.Errorf("%v attempts in ten minutes", n)
		}
		if !strings.Contains(o.log.String(), "keeping the validating webhook configuration holdfast: the API server is down") {
			t.Errorf("the log says %s", o.log)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		<-o.Ready()
		if o.validating(t) == nil {
			t.Error("nothing was written")
		}
	})
}

func TestTwoRegistrarsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a, b := open(t, client, allPolicies()), open(t, client, allPolicies())
		<-a.Ready()
		<-b.Ready()
		time.Sleep(time.Hour)
		synctest.Wait()
		a.wrote(t, map[string]float64{both + "mutating}": 1, both + "validating}": 1})
		b.wrote(t, map[string]float64{})
		if err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(t.Context(), "holdfast", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if a.validating(t) == nil {
			t.Error("neither has put it back")
		}
		total := 0.0
		for _, o := range []*office{a, b} {
			total += gathered(t, o.metrics)["holdfast_webhook_configuration_writes_total{change=repaired,configuration=validating}"]
		}
		if total != 1 {
			t.Errorf("%v repairs", total)
		}
	})
}

// Two that hear of a new bundle one after the other: the second does not undo what the first has written, be it that there
// is a configuration now, or another one, or none.
func TestARegistrarThatHearsLateUndoesNothing(t *testing.T) {
	one, two := rule("p", kindsOf("ConfigMap"), checks), rule("p", kindsOf("Service"), checks)
	for name, c := range map[string]struct{ before, after string }{
		"the first policy": {"", one}, "another policy": {one, two}, "no policy any more": {one, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				patient := func(o *RegistrarOptions) { o.RepairAfter = time.Second }
				a, b := open(t, client, c.before, patient), open(t, client, c.before, patient)
				a.snapshots.Store(compile(t, c.after))
				a.Poke()
				synctest.Wait()
				want := a.validating(t)
				time.Sleep(500 * time.Millisecond)
				b.snapshots.Store(compile(t, c.after))
				b.Poke()
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := a.validating(t); (got == nil) != (c.after == "") {
					t.Errorf("there is %v", got)
				} else if got != nil {
					same(t, got.Webhooks, want.Webhooks)
				}
				for name, n := range gathered(t, b.metrics) {
					if strings.HasPrefix(name, "holdfast_webhook_configuration_writes_total") {
						t.Errorf("the second has written: %s %v", name, n)
					}
				}
			})
		})
	}
}

// One that never hears of it keeps the configuration as it knows it, after the time of patience.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, fake.NewClientset(), allPolicies(), func(o *RegistrarOptions) { o.RepairAfter = time.Second })
		v := o.validating(t)
		v.Webhooks = v.Webhooks[:1]
		if _, err := o.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		if len(o.validating(t).Webhooks) != 1 {
			t.Error("it was not patient")
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if len(o.validating(t).Webhooks) == 1 {
			t.Error("it is still patient")
		}
	})
}

// Who waits for a bundle to be asked about is told, and of no other than the one that is.
func TestWhatIsAppliedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string // by the registrar's goroutine, which rests when it is read
		client := fake.NewClientset()
		var failing atomic.Bool
		client.PrependReactor("update", "validatingwebhookconfigurations", func(clienttesting.Action) (bool, runtime.Object, error) {
			return failing.Load(), nil, errors.New("not now")
		})
		o := open(t, client, rule("p", kindsOf("ConfigMap"), checks), func(o *RegistrarOptions) {
			o.Applied = func(s *engine.Snapshot) { told = append(told, s.Digest()) }
		})
		first := o.snapshots.Current().Digest()
		if len(told) == 0 || told[len(told)-1] != first {
			t.Fatalf("told %v, want %s", told, first)
		}
		failing.Store(true)
		second := compile(t, rule("p", kindsOf("Service"), checks))
		o.snapshots.Store(second)
		o.Poke()
		time.Sleep(time.Minute)
		synctest.Wait()
		if told[len(told)-1] != first {
			t.Error("told before it was written")
		}
		failing.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if told[len(told)-1] != second.Digest() {
			t.Error("not told")
		}
	})
}

func TestTheConfigurationsGoWithTheProcessIfAsked(t *testing.T) {
	t.Run("asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := open(t, fake.NewClientset(), allPolicies(), func(o *RegistrarOptions) { o.RemoveOnShutdown = true })
			o.stop()
			if o.validating(t) != nil || o.mutating(t) != nil {
				t.Error("a configuration remains")
			}
		})
	})
	t.Run("not asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := open(t, fake.NewClientset(), allPolicies())
			o.stop()
			if o.validating(t) == nil || o.mutating(t) == nil {
				t.Error("a configuration is gone")
			}
		})
	})
	t.Run("asked, but another process has taken over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset()
			a := open(t, client, allPolicies(), func(o *RegistrarOptions) { o.RemoveOnShutdown = true })
			v := a.validating(t)
			a.client.PrependReactor("update", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, errors.New("not any more")
			})
			for i := range v.Webhooks {
				v.Webhooks[i].ClientConfig.URL = ptr("https://127.0.0.2:9443/validate")
			}
			if err := client.Tracker().Update(admissionregistrationv1.SchemeGroupVersion.WithResource("validatingwebhookconfigurations"), v, ""); err != nil {
				t.Fatal(err)
			}
			a.stop()
			if a.validating(t) == nil {
				t.Error("it took away what was another's")
			}
			if a.mutating(t) != nil {
				t.Error("its own remains")
			}
		})
	})
}

// One of the same name that is not ours is left alone as long as we need none.
func TestAStrangersConfigurationIsNotRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "holdfast"}}
		o := open(t, fake.NewClientset(theirs), rule("p", kindsOf("ConfigMap"), checks))
		<-o.Ready()
		if o.mutating(t) == nil {
			t.Error("it is gone")
		}
	})
}

func TestRegistrarOptionsThatCannotBeUsed(t *testing.T) {
	for want, change := range map[string]func(*RegistrarOptions){
		"webhook registrar options: Client is missing":                                               func(o *RegistrarOptions) { o.Client = nil },
		"webhook registrar options: Snapshots is missing":                                            func(o *RegistrarOptions) { o.Snapshots = nil },
		"webhook registrar options: Certificates is missing":                                         func(o *RegistrarOptions) { o.Certificates = nil },
		"webhook registrar options: Resources is missing":                                            func(o *RegistrarOptions) { o.Resources = nil },
		"webhook registrar options: Recheck is -1ns: expected a positive time, or 0 for the default": func(o *RegistrarOptions) { o.Recheck = -1 },
		"webhook registrar options: Endpoint: an endpoint has either a URL or a Service":             func(o *RegistrarOptions) { o.Endpoint = Endpoint{} },
	} {
		o := RegistrarOptions{Client: fake.NewClientset(), Snapshots: &snapshots{}, Certificates: newSource(), Resources: newSource(), Endpoint: Endpoint{URL: "https://a"}}
		change(&o)
		if _, err := NewRegistrar(o); err == nil || err.Error() != want {
			t.Errorf("got %v, expected %s", err, want)
		}
	}
	if _, err := NewDiscovery(DiscoveryOptions{}); err == nil || err.Error() != "webhook discovery options: Client is missing" {
		t.Errorf("got %v", err)
	}
}
