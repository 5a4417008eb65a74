package scenarios

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// Several auditors share the objects by a StatefulSet, whose number of replicas changes while objects come and go: each
// object is reported once, and reports that change hands are not written for it.
func TestNoObjectIsLostOrDoubledWhileShardsComeAndGo(t *testing.T) {
	for _, layout := range []string{"resource", "namespace"} {
		t.Run(layout, func(t *testing.T) {
			c := newCluster(t)
			for _, namespace := range []string{"holdfast", "team-a", "team-b", "team-c", "team-d"} {
				if _, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			s := &sharded{cluster: c, layout: layout, bundle: c.writeBundle(t, "bundle", labelled), running: map[int]*serving.Process{}}
			s.scale(t, 2)
			s.add(t, 0, 24)
			eventually(t, "a report on each object, by two", s.complete)
			before := s.versions(t)

			s.scale(t, 3)
			eventually(t, "each object in one of three parts", s.divided)
			s.unchanged(t, "after the third has come", before)
			s.add(t, 24, 32)
			s.remove(t, 0, 4)
			eventually(t, "a report on each object, by three", s.complete)
			before = s.versions(t)

			s.scale(t, 1)
			s.remove(t, 4, 8) // nobody may have seen it yet whose they are now
			eventually(t, "each object in the one part that is left", s.divided)
			eventually(t, "a report on each object, by one", s.complete)
			if layout == "resource" { // where several share a report, it is written when one of them goes
				s.unchanged(t, "after two have gone", before)
			}
			before = s.versions(t)

			stop(t, s.running[0])
			s.start(t, 0)
			eventually(t, "each object in the part of one that began again", s.divided)
			s.unchanged(t, "after a restart", before)
		})
	}
}

// labelled wants a label that no object has.
const labelled = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labelled}
spec:
  rules:
    - name: team
      match: {any: [{resources: {kinds: [ConfigMap], names: ["of-*"]}}]}
      validate: {message: "whose is it?", pattern: {metadata: {labels: {team: "?*"}}}}
`

// sharded is a StatefulSet, whose Pods are processes of ours here.
type sharded struct {
	*cluster
	layout, bundle string
	running        map[int]*serving.Process
	options        map[int]serving.Options
}

// scale sets the number of replicas, and starts and kills processes as a controller does with Pods.
func (s *sharded) scale(t *testing.T, n int32) {
	t.Helper()
	sets := s.kube.AppsV1().StatefulSets("holdfast")
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "audit"}, Spec: appsv1.StatefulSetSpec{
		Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}},
	}}
	there, err := sets.Get(t.Context(), "audit", metav1.GetOptions{})
	if err == nil {
		there.Spec.Replicas = &n
		_, err = sets.Update(t.Context(), there, metav1.UpdateOptions{})
	} else {
		_, err = sets.Create(t.Context(), set, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range int(n) {
		if s.running[i] == nil {
			s.start(t, i)
		}
	}
	for i, p := range maps.Clone(s.running) {
		if i >= int(n) {
			p.Kill() // without a word, as a node that is lost
			delete(s.running, i)
		}
	}
}

func (s *sharded) start(t *testing.T, ordinal int) {
	t.Helper()
	name := fmt.Sprint("audit-", ordinal)
	if s.options == nil {
		s.options = map[int]serving.Options{}
	}
	if _, known := s.options[ordinal]; !known {
		o := s.cluster.options(t, name, s.bundle)
		o.Args = append(o.Args, "--settle", "0s", "--admission=false", "--audit-statefulset", "audit", "--pod-name", name, "--report-layout", s.layout)
		s.options[ordinal] = o
	}
	s.running[ordinal] = s.serve(t, s.options[ordinal])
}

func (s *sharded) add(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: team(i), Name: fmt.Sprint("of-", i)}}
		if _, err := s.kube.CoreV1().ConfigMaps(m.Namespace).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *sharded) remove(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := s.kube.CoreV1().ConfigMaps(team(i)).Delete(t.Context(), fmt.Sprint("of-", i), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func team(i int) string { return "team-" + string(rune('a'+i%4)) }

// objects are the names of those that are there.
func (s *sharded) objects(ctx context.Context) ([]string, error) {
	list, err := s.kube.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].Name, "of-") {
			out = append(out, list.Items[i].Name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// complete gives an empty string when each object that is there is reported once, and no other.
func (s *sharded) complete(ctx context.Context) string {
	want, err := s.objects(ctx)
	if err != nil {
		return err.Error()
	}
	reports, err := s.reportObjects(ctx, "policyreports")
	if err != nil {
		return err.Error()
	}
	var have []string
	for i := range reports {
		for _, r := range reports[i].Results {
			have = append(have, r.Resources[0].Name)
		}
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		return fmt.Sprintf("reported are %v, there are %v", have, want)
	}
	return ""
}

// divided gives an empty string when all auditors know how many they are, and have all objects among them.
func (s *sharded) divided(ctx context.Context) string {
	want, err := s.kube.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	sum := 0
	for i := range s.running {
		status, err := s.status(ctx, s.options[i].MetricsPort)
		if err != nil {
			return err.Error()
		}
		if !status.Leader || status.Shard.Of != len(s.running) {
			return fmt.Sprintf("replica %d leads: %t, of %d", i, status.Leader, status.Shard.Of)
		}
		for _, c := range status.Coverage {
			if c.Listed == "" || !c.Watching {
				return fmt.Sprintf("replica %d has not listed %s", i, c.Kind)
			}
			sum += c.Objects
		}
	}
	if sum != len(want.Items) {
		return fmt.Sprintf("they have %d objects among them, there are %d", sum, len(want.Items))
	}
	return ""
}

// versions are those of all reports.
func (s *sharded) versions(t *testing.T) map[string]string {
	t.Helper()
	reports, err := s.reportObjects(t.Context(), "policyreports")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for i := range reports {
		out[reports[i].Metadata.Namespace+"/"+reports[i].Metadata.Name] = reports[i].Metadata.ResourceVersion
	}
	return out
}

// unchanged fails when a report that is still there has been written since.
func (s *sharded) unchanged(t *testing.T, when string, before map[string]string) {
	t.Helper()
	for name, version := range s.versions(t) {
		if before[name] != "" && before[name] != version {
			t.Errorf("%s the report %s was written again", when, name)
		}
	}
}
