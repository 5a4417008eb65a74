package ledger

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noon is far ahead, so that the beginning of a ledger is older.
var noon = time.Date(2126, 11, 30, 12, 0, 0, 123456000, time.UTC)

// at is a time, so many minutes after noon.
func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// full is an entry with everything.
func full() Entry {
	return Entry{
		Time: noon, Kind: Denied,
		Object: Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "u1"},
		Policy: Policy{Kind: "ClusterPolicy", Name: "no-root", Rule: "check", Digest: "sha256:1"}, Bundle: "sha256:2",
		Actor:   Actor{User: "ana", Groups: []string{"dev", "ops"}, Manager: "kubectl"},
		Message: "run as somebody <else> & say \"so\"", Outcome: "fail", Diff: "- a\n+ b\n",
		Remediation: "r1", Plan: "sha256:3", Request: "q1", Replica: "pod-1",
		Details: map[string]string{"operation": "CREATE", "a": "b"},
	}
}

func TestAnEntryComesBackAsItWasRecorded(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		receipt := record(t, s, full())
		page, err := s.Query(t.Context(), Query{Kinds: []Kind{Denied}})
		if err != nil {
			t.Fatal(err)
		}
		want := full()
		want.Seq = 2 // behind the beginning
		if diff := cmp.Diff([]Entry{want}, page.Entries); diff != "" {
			t.Error(diff)
		}
		if receipt.Seq != 2 {
			t.Errorf("the receipt is for entry %d", receipt.Seq)
		}
	})
}

func TestWhatIsTooLongOrNoTextIsRecordedAllTheSame(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		record(t, s, Entry{
			Kind: Denied, Message: strings.Repeat("ä", 5000), Diff: "a\x00b\xffc", Actor: Actor{User: "a\x00b"},
			Object: Object{Name: strings.Repeat("x", 10_000)}, Details: map[string]string{"k": strings.Repeat("y", 2000)},
		})
		page, err := s.Query(t.Context(), Query{Kinds: []Kind{Denied}})
		if err != nil {
			t.Fatal(err)
		}
		e := page.Entries[0]
		if want := "... (5936 more bytes)"; !strings.HasSuffix(e.Message, want) || len(e.Message) > maxMessage {
			t.Errorf("the message has %d bytes and ends with %q", len(e.Message), e.Message[len(e.Message)-30:])
		}
		if e.Diff != "a\uFFFDb\uFFFDc" || e.Actor.User != "a\uFFFDb" {
			t.Errorf("got %q and %q", e.Diff, e.Actor.User)
		}
		if len(e.Object.Name) > maxName || len(e.Details["k"]) > maxDetail {
			t.Errorf("a name of %d bytes and a detail of %d", len(e.Object.Name), len(e.Details["k"]))
		}
	})
}

func TestQueries(t *testing.T) {
	web, db := Object{Kind: "Deployment", Namespace: "shop", Name: "web", UID: "u1"}, Object{Kind: "StatefulSet", Namespace: "shop", Name: "db"}
	again := web
	again.UID = "u2"
	entries := []Entry{ // entry 1 is the beginning
		{Time: at(0), Kind: Denied, Object: web, Policy: Policy{Name: "no-root", Rule: "a"}, Actor: Actor{User: "ana", Manager: "kubectl"}},
		{Time: at(1), Kind: FindingOpened, Object: db, Policy: Policy{Name: "no-root", Rule: "b"}, Actor: Actor{Manager: "helm"}},
		{Time: at(2), Kind: Intended, Object: db, Policy: Policy{Name: "shop/own"}, Remediation: "r1"},
		{Time: at(3), Kind: Applied, Object: db, Policy: Policy{Name: "shop/own"}, Remediation: "r1"},
		{Time: at(4), Kind: Denied, Object: Object{Kind: "Namespace", Name: "web"}},
		{Time: at(1), Kind: Denied, Object: again}, // recorded late
	}
	tests := map[string]struct {
		query Query
		want  string
	}{
		"all, the newest first":           {Query{Since: at(0), Until: at(60)}, "6 denied Namespace web; 5 applied StatefulSet shop/db; 4 intended StatefulSet shop/db; 7 denied Deployment shop/web; 3 finding-opened StatefulSet shop/db; 2 denied Deployment shop/web"},
		"an object":                       {Query{ObjectKind: "Deployment", Namespace: "shop", ObjectName: "web"}, "7 denied Deployment shop/web; 2 denied Deployment shop/web"},
		"a kind as people write it":       {Query{ObjectKind: "namespace", ObjectName: "web"}, "6 denied Namespace web"},
		"one of several of a name":        {Query{ObjectKind: "Deployment", Namespace: "shop", ObjectName: "web", UID: "u2"}, "7 denied Deployment shop/web"},
		"a name of any kind":              {Query{ObjectName: "web"}, "6 denied Namespace web; 7 denied Deployment shop/web; 2 denied Deployment shop/web"},
		"a namespace":                     {Query{Namespace: "shop", Limit: 2}, "5 applied StatefulSet shop/db; 4 intended StatefulSet shop/db"},
		"a policy":                        {Query{Policy: "no-root"}, "3 finding-opened StatefulSet shop/db; 2 denied Deployment shop/web"},
		"a rule":                          {Query{Policy: "no-root", Rule: "b"}, "3 finding-opened StatefulSet shop/db"},
		"a policy of a namespace":         {Query{Policy: "shop/own"}, "5 applied StatefulSet shop/db; 4 intended StatefulSet shop/db"},
		"a user":                          {Query{Actor: "ana"}, "2 denied Deployment shop/web"},
		"a manager, where no user is":     {Query{Actor: "helm"}, "3 finding-opened StatefulSet shop/db"},
		"not the manager of a user":       {Query{Actor: "kubectl"}, ""},
		"kinds":                           {Query{Kinds: []Kind{Intended, FindingOpened}}, "4 intended StatefulSet shop/db; 3 finding-opened StatefulSet shop/db"},
		"a remediation":                   {Query{Remediation: "r1"}, "5 applied StatefulSet shop/db; 4 intended StatefulSet shop/db"},
		"a time":                          {Query{Since: at(1), Until: at(3)}, "4 intended StatefulSet shop/db; 7 denied Deployment shop/web; 3 finding-opened StatefulSet shop/db"},
		"what was recorded behind":        {Query{After: 5, Until: at(60)}, "6 denied Namespace web; 7 denied Deployment shop/web"},
		"several conditions, all of them": {Query{Kinds: []Kind{Denied}, Namespace: "shop", Since: at(1)}, "7 denied Deployment shop/web"},
	}
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		record(t, s, entries...)
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				page, err := s.Query(t.Context(), test.query)
				if err != nil {
					t.Fatal(err)
				}
				if got := names(page.Entries); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
			})
		}
	})
}

func TestPagesMissNothingAndTellNothingTwice(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		for i := range 25 {
			record(t, s, Entry{Kind: Denied, Time: at(i / 10), Object: Object{Name: "o"}}) // ten of one time
		}
		q, seen := Query{ObjectName: "o", Limit: 4}, map[int64]bool{}
		for pages := 1; ; pages++ {
			page, err := s.Query(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Entries {
				if seen[page.Entries[i].Seq] {
					t.Errorf("entry %d is told twice", page.Entries[i].Seq)
				}
				seen[page.Entries[i].Seq] = true
			}
			if pages == 3 { // what comes meanwhile is newer
				record(t, s, Entry{Kind: Denied, Time: at(60), Object: Object{Name: "o"}})
			}
			if !page.More {
				break
			}
			q.From = page.Next
		}
		if len(seen) != 25 {
			t.Errorf("%d of 25 entries were told", len(seen))
		}
	})
}

func TestQueriesThatCannotBe(t *testing.T) {
	for want, q := range map[string]Query{
		"a page of 1001 entries: expected 1 to 1000": {Limit: 1001},
		"the time ends before it begins":             {Since: at(1), Until: at(0)},
		"a UID without the object's name":            {UID: "u"},
	} {
		if err := q.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestOpenFindings(t *testing.T) {
	finding := func(kind Kind, name, rule string) Entry {
		return Entry{Kind: kind, Object: Object{Kind: "Pod", Name: name, UID: name}, Policy: Policy{Kind: "ClusterPolicy", Name: "p", Rule: rule}}
	}
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		record(t, s,
			finding(FindingOpened, "a", "1"), finding(FindingOpened, "a", "2"), finding(FindingOpened, "b", "1"),
			finding(FindingClosed, "a", "1"), finding(FindingClosed, "b", "1"), finding(FindingOpened, "b", "1"), finding(FindingStanding, "c", "1"),
			Entry{Kind: Denied, Object: Object{Kind: "Pod", Name: "d", UID: "d"}})
		open, err := s.OpenFindings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := names(open), "3 finding-opened Pod a; 7 finding-opened Pod b; 8 finding-standing Pod c"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestALedgerBeginsByNamingItself(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		size, err := s.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.Query(t.Context(), Query{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) != 1 || page.Entries[0].Kind != Begun || page.Entries[0].Details["chain"] != size.Chain || size.Chain == "" {
			text, _ := json.Marshal(page.Entries)
			t.Errorf("chain %q begins with %s", size.Chain, text)
		}
		if size.Entries != 1 || size.Last.Seq != 1 || size.Bytes <= 0 {
			t.Errorf("its size is %+v", size)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := OpenForReading(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = again.Close() }()
		now, err := again.Size(t.Context())
		if err != nil || now.Last != size.Last || now.Chain != size.Chain {
			t.Errorf("opened again it is %+v (%v), was %+v", now, err, size)
		}
		if _, err := again.Append(t.Context(), full()); err == nil || err.Error() != "the ledger is open for reading" {
			t.Errorf("writing to it: %v", err)
		}
	})
}
