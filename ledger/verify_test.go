package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tamper changes a ledger behind its back.
func tamper(t testing.TB, src Source, statements ...string) {
	t.Helper()
	if src.DSN != "" {
		admin(t, src.DSN, statements...)
		return
	}
	db, err := sql.Open("sqlite", src.File)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func filled(t testing.TB, src Source, entries int) *Store {
	t.Helper()
	s := open(t, src)
	for i := 1; i < entries; i++ { // entry 1 is there
		e := full()
		e.Time = at(i)
		e.Object.Name = fmt.Sprintf("o%d", i+1)
		record(t, s, e)
	}
	return s
}

func TestVerifyNamesTheFirstBrokenPlace(t *testing.T) {
	tests := map[string]struct {
		tamper []string
		anchor func([]Receipt) Receipt
		want   string // the end of it
	}{
		"nothing is wrong": {nil, nil, ""},
		"the content of one": {
			[]string{`UPDATE holdfast_entries SET entry = replace(entry, 'ana', 'bob') WHERE seq = 4`}, nil,
			"entry 4 (2126-11-30T12:03:00.123456Z): it is not what was written: its hash is "},
		"two, of which it names the first": {
			[]string{`UPDATE holdfast_entries SET entry = replace(entry, 'ana', 'bob') WHERE seq IN (6, 3)`}, nil,
			"entry 3 (2126-11-30T12:02:00.123456Z): it is not what was written: its hash is "},
		"a hash": {
			[]string{`UPDATE holdfast_entries SET hash = (SELECT hash FROM holdfast_entries WHERE seq = 2) WHERE seq = 5`}, nil,
			"entry 5 (2126-11-30T12:04:00.123456Z): it is not what was written: its hash is "},
		"a column for searching": {
			[]string{`UPDATE holdfast_entries SET actor = 'bob' WHERE seq = 4`}, nil,
			"entry 4 (2126-11-30T12:03:00.123456Z): the columns by which it is searched are not those of its content"},
		"no JSON": {
			[]string{`UPDATE holdfast_entries SET entry = 'x' WHERE seq = 4`}, nil,
			"entry 4: it cannot be read: decoding an entry: invalid character 'x' looking for beginning of value"},
		"one is taken out": {
			[]string{`DELETE FROM holdfast_entries WHERE seq = 4`}, nil,
			"entry 4: it is missing: the next one that is there is entry 5"},
		"two change places": {
			[]string{`UPDATE holdfast_entries SET seq = -4 WHERE seq = 4`, `UPDATE holdfast_entries SET seq = 4 WHERE seq = 5`, `UPDATE holdfast_entries SET seq = 5 WHERE seq = -4`}, nil,
			"entry 4 (2126-11-30T12:04:00.123456Z): it is not what was written: its hash is "},
		"one is put in": {
			[]string{`INSERT INTO holdfast_entries (seq, at, kind, entry, hash) SELECT 9, at, kind, entry, hash FROM holdfast_entries WHERE seq = 8`}, nil,
			"entry 9 (2126-11-30T12:07:00.123456Z): it is not what was written: its hash is "},
		"the end is cut off": {
			[]string{`DELETE FROM holdfast_entries WHERE seq > 6`}, nil,
			"entry 7: it is missing, and all up to entry 8, the last that was written"},
		"the end is cut off, and the head put back": {
			[]string{`DELETE FROM holdfast_entries WHERE seq > 6`, `UPDATE holdfast_head SET seq = 6, hash = (SELECT hash FROM holdfast_entries WHERE seq = 6)`}, nil,
			""},
		"the same, and there is an anchor": {
			[]string{`DELETE FROM holdfast_entries WHERE seq > 6`, `UPDATE holdfast_head SET seq = 6, hash = (SELECT hash FROM holdfast_entries WHERE seq = 6)`},
			func(r []Receipt) Receipt { return r[8] },
			"entry 7: it is missing, and all up to entry 8, which the anchor names"},
		"an anchor of another chain": {
			nil, func(r []Receipt) Receipt { return Receipt{Seq: 5, Hash: r[6].Hash} },
			"what is up to here was written anew"},
		"an anchor that fits": {nil, func(r []Receipt) Receipt { return r[5] }, ""},
		"the beginning is cut off": {
			[]string{`DELETE FROM holdfast_entries WHERE seq < 4`}, nil,
			"entry 1: it is missing: the next one that is there is entry 4"},
		"the beginning is cut off, and the head changed": {
			[]string{`UPDATE holdfast_head SET base_seq = 3, base_hash = (SELECT hash FROM holdfast_entries WHERE seq = 3)`, `DELETE FROM holdfast_entries WHERE seq < 4`}, nil,
			"entry 4: what was before it was cut off, and no entry says so"},
	}
	onStores(t, func(t *testing.T, src Source) {
		base := src
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				src := base
				if src.DSN != "" {
					src.DSN = server.database(t)
				} else {
					src.File = t.TempDir() + "/ledger.db"
				}
				s := filled(t, src, 8)
				receipts := make([]Receipt, 9)
				for i := range receipts[1:] {
					rows := s.read.QueryRowContext(t.Context(), s.dialect.bind(`SELECT hash FROM holdfast_entries WHERE seq = ?`), i+1)
					var raw []byte
					if err := rows.Scan(&raw); err != nil {
						t.Fatal(err)
					}
					hash, _ := hashOf(raw)
					receipts[i+1] = Receipt{Seq: int64(i + 1), Hash: hash}
				}
				tamper(t, src, test.tamper...)
				var anchors []Receipt
				if test.anchor != nil {
					anchors = append(anchors, test.anchor(receipts))
				}
				v, err := s.Verify(t.Context(), anchors...)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case test.want == "" && v.Break != nil:
					t.Errorf("it breaks at %v", v.Break)
				case test.want != "" && (v.Break == nil || !strings.Contains(v.Break.Error(), test.want)):
					t.Errorf("got  %v\nwant %s", v.Break, test.want)
				}
			})
		}
	})
}

func TestPruneLeavesAChainThatVerifies(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := filled(t, src, 20)
		finding := Entry{Kind: FindingOpened, Object: Object{Kind: "Pod", Name: "a", UID: "a"}, Policy: Policy{Name: "p"}, Time: at(2)}
		record(t, s, finding) // 21, recorded late
		before := record(t, s, Entry{Kind: Denied, Time: at(30)})
		gone, err := s.Prune(t.Context(), Cut{Before: at(30)})
		if err != nil || gone != 21 {
			t.Fatalf("%d are gone, %v", gone, err)
		}
		page, err := s.Query(t.Context(), Query{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := names(page.Entries), "22 denied ; 24 pruned ; 23 finding-standing Pod a"; got != want {
			t.Errorf("what is left: %s, want %s", got, want)
		}
		if since := page.Entries[2].Details["since"]; since != "2126-11-30T12:02:00.123456Z" {
			t.Errorf("the finding stands since %s", since)
		}
		v, err := s.Verify(t.Context(), before)
		if err != nil || v.Break != nil || v.Entries != 3 || v.First.Seq != 22 || v.Pruned != 21 {
			t.Errorf("%+v, break %v, %v", v, v.Break, err)
		}
		again, err := s.Prune(t.Context(), Cut{Before: at(30)})
		if err != nil || again != 0 {
			t.Errorf("pruned again, %d are gone, %v", again, err)
		}
		if gone, err = s.Prune(t.Context(), Cut{Entries: 100}); err != nil || gone != 2 {
			t.Errorf("of everything, %d are gone, %v: want all but the last", gone, err)
		}
		if v, err := s.Verify(t.Context()); err != nil || v.Break != nil {
			t.Errorf("break %v, %v", v.Break, err)
		}
		if open, err := s.OpenFindings(t.Context()); err != nil || len(open) != 1 || open[0].Details["since"] != "2126-11-30T12:02:00.123456Z" {
			t.Errorf("open findings: %v, %v", open, err)
		}
	})
}

func TestACutThatWasInterruptedVerifies(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := filled(t, src, 10)
		err := s.inTransaction(t.Context(), func(tx *sql.Tx) error {
			h, err := s.head(t.Context(), tx)
			if err != nil {
				return err
			}
			return s.checkpoint(t.Context(), tx, h, 6)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, through := range []int64{0, 3, 6} {
			if through > 0 {
				if err := s.cutOff(t.Context(), through); err != nil {
					t.Fatal(err)
				}
			}
			if v, err := s.Verify(t.Context()); err != nil || v.Break != nil || v.First.Seq != through+1 {
				t.Errorf("cut through %d: %+v, break %v, %v", through, v, v.Break, err)
			}
		}
	})
}

func exported(t testing.TB, s *Store, q Query) string {
	t.Helper()
	var out strings.Builder
	if err := s.Walk(t.Context(), q, func(_ *Entry, line []byte) error {
		out.Write(line)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAnExportVerifies(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := filled(t, src, 12)
		whole := exported(t, s, Query{})
		if _, err := s.Prune(t.Context(), Cut{Entries: 5}); err != nil {
			t.Fatal(err)
		}
		pruned := exported(t, s, Query{})
		lines := strings.SplitAfter(whole, "\n")
		tests := map[string]struct{ export, want string }{
			"all":                      {whole, ""},
			"all that is left":         {pruned, ""},
			"from somewhere":           {strings.Join(lines[4:], ""), ""},
			"a changed one":            {strings.Replace(whole, `"o4"`, `"o5"`, 1), "entry 4 (2126-11-30T12:03:00.123456Z): it is not what was written"},
			"one is taken out":         {strings.Join(append(append([]string{}, lines[:3]...), lines[4:]...), ""), "entry 4: it is missing: the next one that is there is entry 5"},
			"a line that is none":      {lines[0] + "{}\n", "entry 2: it cannot be read: the line is no entry of an export"},
			"linked to something else": {lines[0] + strings.Replace(lines[1], `"before":"`, `"before":"0`, 1), "entry 2: it cannot be read: the line is no entry of an export"},
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				v, err := VerifyExport(strings.NewReader(test.export))
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(v.Break); test.want == "" && v.Break != nil || test.want != "" && !strings.Contains(got, test.want) {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		}
	})
}

// Whatever byte of an export is changed, verifying tells.
func TestNoByteOfAnExportCanBeChanged(t *testing.T) {
	s := filled(t, Source{File: t.TempDir() + "/ledger.db"}, 5)
	whole := []byte(exported(t, s, Query{}))
	end, err := s.Size(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(whole)-1).Draw(t, "place")
		b := rapid.Byte().Draw(t, "byte")
		if whole[i] == b || isSpace(whole[i]) && isSpace(b) { // blank lines say nothing
			return
		}
		changed := bytes.Clone(whole)
		changed[i] = b
		v, err := VerifyExport(bytes.NewReader(changed), end.Last)
		if err == nil && v.Break == nil {
			t.Fatalf("byte %d changed from %q to %q, and it verifies", i, whole[i], b)
		}
	})
}

func isSpace(b byte) bool { return strings.ContainsRune(" \t\r\n\v\f", rune(b)) }

func FuzzLineOfAnExport(f *testing.F) {
	e := full().prepare(7, noon)
	body, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	l := link{body: body, hash: Hash{}.next(body)}
	f.Add(l.line(Hash{}))
	f.Add([]byte(`{"before":"","hash":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, before, err := parseLine(raw)
		if err != nil {
			return
		}
		if got := bytes.TrimSpace(l.line(before)); !bytes.Equal(got, bytes.TrimSpace(raw)) {
			t.Errorf("written again it is %q, was %q", got, raw)
		}
	})
}

func TestAnchorsAreReadAsTheyAreWritten(t *testing.T) {
	r := Receipt{Seq: 42, Hash: Hash{}.next([]byte("x"))}
	if got, err := ParseReceipt(r.String()); err != nil || got != r {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "42", "42:", "x:" + r.Hash.String(), "0:" + r.Hash.String(), "42:" + r.Hash.String()[2:]} {
		if _, err := ParseReceipt(text); err == nil || err.Error() != fmt.Sprintf("%q is no anchor: expected SEQ:HASH, as serve logs it", text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
