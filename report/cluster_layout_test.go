package report

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
)

// together are the options of a writer that puts objects together.
func together() WriterOptions { return WriterOptions{Layout: PerNamespace, Results: Statuses()} }

// gathered lets a writer of several objects write what it has.
func (b *bench) gathered(t *testing.T, when, want string) {
	t.Helper()
	time.Sleep(b.opts.Gather) // of the bubble
	synctest.Wait()
	did := strings.Split(b.changes(), ", ")
	slices.Sort(did)
	if got := strings.Join(did, ", "); got != want {
		t.Errorf("%s: did %q, want %q", when, got, want)
	}
}

// objects lists the objects on a report by what it spells out.
func (b *bench) objects(t *testing.T, name string) string {
	t.Helper()
	var out []string
	for _, r := range b.report(t, name).Results {
		out = append(out, fmt.Sprintf("%s %s", r.Resources[0].UID, r.Result))
	}
	return strings.Join(out, ", ")
}

func TestObjectsOfANamespaceShareAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, newServer(), together())
		b.run(t)
		b.Put(pod("a"), "d", found(Fail))
		b.Put(pod("b"), "d", found(Pass, Warn))
		b.Put(Target{APIVersion: "v1", Kind: "Node", Name: "x", UID: "x"}, "d", found(Fail))
		b.gathered(t, "at first", "apply /part-1, apply n/part-1")
		r := b.report(t, "n/part-1")
		if got := b.objects(t, "n/part-1"); got != "a fail, b pass, b warn" || r.Summary.Fail != 1 || r.Summary.Pass != 1 || r.Summary.Warn != 1 || r.Scope != nil || len(r.OwnerReferences) != 0 {
			t.Errorf("%s; %+v", got, r)
		}
		if c := b.report(t, "/part-1"); c.Kind != "ClusterPolicyReport" || c.Namespace != "" {
			t.Errorf("the report on a cluster-scoped object: %+v", c)
		}
		b.Put(pod("b"), "d", found(Fail, Warn))
		b.gathered(t, "a change of one", "apply n/part-1")
		if got := b.objects(t, "n/part-1"); got != "a fail, b fail, b warn" {
			t.Errorf("with what had not changed: %s", got)
		}
		b.Remove(pod("a"))
		b.gathered(t, "one that is gone", "apply n/part-1")
		if r := b.report(t, "n/part-1"); r.Summary.Fail != 1 || len(r.Results) != 2 {
			t.Errorf("without the first: %+v", r)
		}
		b.Retain("v1", "Pod", func(string) bool { return false })
		b.gathered(t, "the last one is gone", "delete n/part-1")
		b.stop()
		if n := b.server.read; n != 2 {
			t.Errorf("%d reports were read, want two, for what had not changed in them", n)
		}
	})
}

func TestAReportTakesAsManyObjectsAsItHasRoomFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, newServer(), WriterOptions{Layout: PerNamespace})
		b.run(t)
		for i := range sheetObjects + 1 {
			b.Put(pod(fmt.Sprintf("%04d", i)), "d", found(Pass))
		}
		b.gathered(t, "one more than fit", "apply n/part-1, apply n/part-2")
		if n := b.report(t, "n/part-1").Summary.Pass; n != sheetObjects {
			t.Errorf("%d objects on the first", n)
		}
		b.Remove(pod("0000"))
		b.gathered(t, "one that is gone", "apply n/part-1")
		b.Put(pod("new"), "d", found(Pass))
		b.gathered(t, "a new one takes the room of one that is gone", "apply n/part-1")

		long := found(Fail)
		long[0].Properties = map[string]string{"x": strings.Repeat("x", 700<<10)}
		b.Put(pod("0001"), "d", long)
		b.gathered(t, "one that has become long", "apply n/part-1")
		longer := found(Fail)
		longer[0].Properties = map[string]string{"x": strings.Repeat("x", 900<<10)}
		b.Put(pod("0001"), "d", longer)
		b.gathered(t, "one for which there is no room any more", "apply n/part-1, apply n/part-3")
		if got := b.objects(t, "n/part-3"); got != "0001 fail" || strings.Contains(b.objects(t, "n/part-1"), "0001") {
			t.Errorf("on the third: %s", got)
		}
		b.stop()
	})
}

// The forms in which reports are written.
func forms() map[string]WriterOptions {
	out := map[string]WriterOptions{}
	for _, api := range APIs() {
		for _, layout := range Layouts() {
			for _, results := range [][]Status{Statuses(), DefaultStatuses()} {
				out[fmt.Sprint(api, " per ", layout, " with ", results)] = WriterOptions{API: api, Layout: layout, Results: results}
			}
		}
	}
	return out
}

func TestReportsOfEachForm(t *testing.T) {
	for name, o := range forms() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				b := newBenchOf(t, s, o)
				b.run(t)
				b.Put(pod("a"), "d", found(Fail, Pass, Pass, Error))
				b.Put(pod("b"), "d", found(Pass))
				time.Sleep(time.Second) // of the bubble
				synctest.Wait()
				if got := s.changes(); got == "" {
					t.Fatal("nothing is written")
				}
				fails, passes, spelled := 0, 0, 0
				for _, u := range s.reports {
					r := &openreports.Report{} // which has all fields that the other has
					if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, r, true); err != nil {
						t.Fatal(err)
					}
					fails, passes, spelled = fails+r.Summary.Fail, passes+r.Summary.Pass, spelled+len(r.Results)
					if open := o.API == OpenReports; open != (r.Source == Source) || r.APIVersion != o.API.kind("n").GroupVersion().String() || r.Kind != o.API.kind("n").Kind {
						t.Errorf("%s %s of source %q", r.APIVersion, r.Kind, r.Source)
					}
					if filtered := o.API == OpenReports && len(o.Results) < 5; filtered != (r.Configuration != nil && fmt.Sprint(r.Configuration.Limits.StatusFilter) == "[fail error warn skip]") {
						t.Errorf("configuration %+v", r.Configuration)
					}
				}
				if want := map[bool]int{true: 5, false: 2}[len(o.Results) == 5]; fails != 1 || passes != 3 || spelled != want {
					t.Errorf("%d fails and %d passes are counted, and %d results spelled out, want 1, 3 and %d", fails, passes, spelled, want)
				}
				b.stop()

				b = newBenchOf(t, s, o)
				b.run(t)
				b.Put(pod("a"), "d2", found(Fail, Pass, Pass, Error))
				b.Put(pod("b"), "d2", found(Pass))
				time.Sleep(time.Second)
				b.expect(t, "the same after a restart", "")
				b.Only(func(_, kind string) bool { return kind != "Pod" })
				time.Sleep(time.Second)
				synctest.Wait()
				if len(s.reports) > 0 {
					t.Errorf("reports of a type that is looked at no more: %v", slices.Collect(maps.Keys(s.reports)))
				}
				b.stop()
			})
		})
	}
}

// From each form to each other one: what is there stands until it is written anew, and then it goes.
func TestAnotherFormTakesThePlaceOfTheOneBefore(t *testing.T) {
	for from, before := range forms() {
		for to, after := range forms() {
			if from == to {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				b := newBenchOf(t, s, before)
				b.run(t)
				for _, uid := range []string{"a", "b", "gone"} {
					b.Put(pod(uid), "d", found(Fail))
				}
				time.Sleep(time.Second) // of the bubble
				b.stop()
				foreign := s.reports[slices.Sorted(maps.Keys(s.reports))[0]].DeepCopy()
				foreign.SetName("foreign")
				foreign.SetLabels(nil)
				s.reports["foreign"] = foreign

				b = newBenchOf(t, s, after)
				b.run(t)
				b.Put(pod("a"), "d", found(Fail))
				time.Sleep(time.Second)
				synctest.Wait()
				if !s.says("b") {
					t.Errorf("from %s to %s: nothing is said of an object that was not judged yet", from, to)
				}
				b.Put(pod("b"), "d", found(Fail))
				b.Retain("v1", "Pod", func(uid string) bool { return uid != "gone" })
				time.Sleep(time.Second)
				synctest.Wait()
				b.stop()
				if s.reports["foreign"] == nil {
					t.Errorf("from %s to %s: the report of somebody else is gone", from, to)
				}
				delete(s.reports, "foreign")
				for _, r := range s.reports {
					l, _, _ := layoutOf(r.GetName())
					if r.GroupVersionKind() != after.API.kind("n") || l != after.Layout {
						t.Errorf("from %s to %s: there is still %s %s", from, to, r.GetKind(), r.GetName())
					}
				}
				if !s.says("a") || !s.says("b") || s.says("gone") {
					t.Errorf("from %s to %s: left are %v", from, to, slices.Sorted(maps.Keys(s.reports)))
				}
			})
		}
	}
}

// says reports whether some report spells out a result of the object.
func (s *server) says(uid string) bool {
	for _, r := range s.reports {
		for _, result := range r.Object["results"].([]any) {
			if result.(map[string]any)["resources"].([]any)[0].(map[string]any)["uid"] == uid && r.GetName() != "foreign" {
				return true
			}
		}
	}
	return false
}

// Before, reports were named by the UID alone.
func TestReportsOfAnOlderVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		b := newBench(t, s)
		b.run(t)
		b.Put(pod("a"), "d", found(Fail))
		synctest.Wait()
		b.stop()
		s.changes()
		old := s.reports["a"]
		old.SetName("a")
		old.SetAnnotations(map[string]string{"holdfast.dev/report-hash": "v1=0123"})
		s.reports["old"] = old
		delete(s.reports, "a")
		s.fail = func(verb, name string) error {
			if verb == "delete" && name == "a" {
				delete(s.reports, "old")
				s.did = append(s.did, "delete old")
			}
			return nil
		}
		b = newBench(t, s)
		b.run(t)
		b.expect(t, "before it is judged", "")
		b.Put(pod("a"), "d", found(Fail))
		synctest.Wait()
		if got := s.changes(); !strings.Contains(got, "apply a") || !strings.Contains(got, "delete old") {
			t.Errorf("did %s", got)
		}
		b.stop()
	})
}

func TestReportsOfOthersAreLeftAlone(t *testing.T) {
	for name, ours := range map[string]bool{"a field that somebody set in ours is set right": true, "a report of ours by its name alone is left alone": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, newServer())
				b.run(t)
				b.Put(pod("a"), "d", found(Pass))
				synctest.Wait()
				if !ours {
					b.server.reports["a"].SetLabels(nil)
				}
				b.changes()
				conflicts := 0
				b.failing(func(verb, _ string) error {
					if conflicts++; verb != "patch" || ours && conflicts > 1 {
						return nil
					}
					return apierrors.NewApplyConflict([]metav1.StatusCause{{Type: metav1.CauseTypeFieldManagerConflict, Field: ".results"}}, "conflict")
				})
				b.Put(pod("a"), "d", found(Fail))
				want := ""
				if ours {
					want = "apply a"
				}
				time.Sleep(time.Minute) // of the bubble
				b.expect(t, "a conflict", want)
				if told := strings.Contains(b.log.String(), errForeign.Error()); told == ours {
					t.Errorf("log: %s", b.log)
				}
				b.stop()
			})
		})
	}
}

// Somebody deletes a report about several objects. What is not kept has to be found again.
func TestWhatIsLostIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := together()
		var lost []string
		o.Lost = func(t Target) { lost = append(lost, t.String()) }
		b := newBenchOf(t, newServer(), o)
		b.run(t)
		for _, uid := range []string{"a", "b", "c"} {
			b.Put(pod(uid), "d", found(Fail))
		}
		b.gathered(t, "at first", "apply n/part-1")
		b.server.mu.Lock()
		delete(b.server.reports, "n/part-1")
		b.server.mu.Unlock()
		b.Put(pod("a"), "d", found(Warn))
		b.gathered(t, "what is there is written", "apply n/part-1")
		slices.Sort(lost)
		if got := strings.Join(lost, ", "); got != "Pod n/name-b, Pod n/name-c" {
			t.Errorf("lost: %s", got)
		}
		b.Put(pod("b"), "d", found(Fail))
		b.gathered(t, "and what is found again", "apply n/part-1")
		if got := b.objects(t, "n/part-1"); got != "a warn, b fail" {
			t.Errorf("report: %s", got)
		}
		b.stop()
	})
}

// While the division of the work changes, two may write one report.
func TestAReportThatAnotherWriterChangedIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		one, other := newBenchOf(t, s, together()), newBenchOf(t, s, together())
		one.run(t)
		one.Put(pod("a"), "d", found(Fail))
		one.gathered(t, "at first", "apply n/part-1")
		other.run(t)
		other.Put(pod("a"), "d", found(Warn))
		other.gathered(t, "the other one", "apply n/part-1")
		one.Put(pod("b"), "d", found(Fail))
		one.gathered(t, "the first one again", "apply n/part-1")
		if got := one.objects(t, "n/part-1"); got != "a warn, b fail" {
			t.Errorf("report: %s", got)
		}
		first := true
		s.failing(func(verb, name string) error {
			if verb == "patch" && first {
				first = false
				return apierrors.NewConflict(PolicyReports.resource("n").GroupResource(), name, errors.New("it has changed"))
			}
			return nil
		})
		one.Put(pod("b"), "d", found(Error))
		one.gathered(t, "a conflict", "apply n/part-1")
		if one.log.Len() > 0 {
			t.Errorf("log: %s", one.log)
		}
		one.stop()
		other.stop()
	})
}

// Whatever comes and goes: in the end the reports hold what was last said of each object, once.
func TestReportsHoldWhatWasSaidLast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := WriterOptions{Layout: rapid.SampledFrom(Layouts()).Draw(rt, "layout"), Results: Statuses()}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) [3]int {
			return [3]int{rapid.IntRange(0, 9).Draw(rt, "what"), rapid.IntRange(0, 4).Draw(rt, "object"), rapid.IntRange(0, 4).Draw(rt, "status")}
		}), 1, 40).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			s := newServer()
			b := newBenchOf(t, s, o)
			b.run(t)
			want := map[string]string{}
			for _, step := range steps {
				target, status := pod(fmt.Sprint("o", step[1])), Statuses()[step[2]]
				if step[1] == 4 {
					target.Namespace = "m"
				}
				switch step[0] {
				case 0:
					b.Remove(target)
					delete(want, target.UID)
				case 1:
					time.Sleep(time.Second) // of the bubble
				case 2:
					b.stop()
					b = newBenchOf(t, s, o)
					b.run(t)
					for uid, status := range want { // as an audit that begins tells of everything
						target := pod(uid)
						if uid == "o4" {
							target.Namespace = "m"
						}
						b.Put(target, "d", found(Status(status)))
					}
					there := maps.Clone(want)
					b.Retain("v1", "Pod", func(uid string) bool { return there[uid] != "" })
				case 3:
					b.failing(func(string, string) error { return errors.New("connection refused") })
				case 4:
					b.failing(nil)
				default:
					b.Put(target, "d", found(status))
					want[target.UID] = string(status)
				}
			}
			b.failing(nil)
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			b.stop()
			have := map[string]string{}
			for _, r := range s.reports {
				for _, result := range r.Object["results"].([]any) {
					m := result.(map[string]any)
					uid := m["resources"].([]any)[0].(map[string]any)["uid"].(string)
					if have[uid] != "" {
						rt.Errorf("%s stands twice", uid)
					}
					have[uid] = m["result"].(string)
				}
			}
			if !maps.Equal(have, want) {
				rt.Errorf("reports have %v, want %v", have, want)
			}
		})
	})
}

func TestIndexOfAReport(t *testing.T) {
	list := []indexed{
		{"apps/v1", "Deployment", "a", part{apiVersion: "apps/v1", want: hash{1, 2}, counts: [5]uint16{1, 2, 3, 4, 65535}, size: 7}},
		{"v1", "Pod", "b", part{apiVersion: "v1", want: hash{255}, size: 1 << 30}},
		{"v1", "Pod", "c", part{apiVersion: "v1", want: hash{3}}},
	}
	text := writeIndex(list)
	const want = "apps/v1 Deployment a=AQIAAAAAAAAAAAAAAAAAAA,1,2,3,4,65535,7\nv1 Pod b=_wAAAAAAAAAAAAAAAAAAAA,0,0,0,0,0,1073741824 c=AwAAAAAAAAAAAAAAAAAAAA,0,0,0,0,0,0"
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	back, err := parseIndex(text)
	if err != nil || writeIndex(back) != text {
		t.Errorf("read back: %+v, %v", back, err)
	}
}

func FuzzIndex(f *testing.F) {
	f.Add("v1 Pod c=AwAAAAAAAAAAAAAAAAAAAA,0,0,0,0,0,0")
	f.Add("v1 Pod")
	f.Add("v1 Pod a=b,1,2")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseIndex(text)
		if err != nil {
			return
		}
		again, err := parseIndex(writeIndex(list))
		if err != nil || writeIndex(again) != writeIndex(list) {
			t.Errorf("%q comes back as %q, %v", text, writeIndex(again), err)
		}
	})
}
