package ledger

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"time"
)

// Verification is what looking through the whole chain has come to.
type Verification struct {
	// Chain tells one ledger from another; empty for an export.
	Chain string
	// Entries were looked at, up to the first break. First and Last are the ends of what is there.
	Entries     int64
	First, Last Receipt
	// Pruned is the last entry that was cut off, as an entry of the chain says.
	Pruned int64
	// Break is the first place that is not as it was written; nil if all is.
	Break *Break
}

// Break is a place in the chain that is not as it was written.
type Break struct {
	// Seq is the entry, and Time when it says that it happened; zero if it cannot be read.
	Seq  int64
	Time time.Time
	// What is wrong with it.
	What string
}

func (b *Break) Error() string {
	at := ""
	if !b.Time.IsZero() {
		at = " (" + b.Time.Format(time.RFC3339Nano) + ")"
	}
	return fmt.Sprintf("entry %d%s: %s", b.Seq, at, b.What)
}

// verifier follows a chain.
type verifier struct {
	out     Verification
	at      Receipt // what the next entry must be linked to
	anchors map[int64]Hash
	// base is where the chain begins now, said is what its entries tell of what was cut off.
	base Receipt
	said map[int64]Hash
}

func newVerifier(base Receipt, anchors []Receipt) *verifier {
	v := &verifier{at: base, base: base, anchors: map[int64]Hash{}, said: map[int64]Hash{}}
	for _, a := range anchors {
		v.anchors[a.Seq] = a.Hash
	}
	return v
}

func broken(seq int64, format string, args ...any) *Break {
	return &Break{Seq: seq, What: fmt.Sprintf(format, args...)}
}

// link looks at the next entry.
func (v *verifier) link(seq int64, l *link) error {
	if seq != v.at.Seq+1 {
		if seq <= v.at.Seq {
			return broken(seq, "it stands behind entry %d", v.at.Seq)
		}
		return broken(v.at.Seq+1, "it is missing: the next one that is there is entry %d", seq)
	}
	e, err := decode(l.body)
	if err != nil {
		return broken(seq, "it cannot be read: %v", err)
	}
	if hash := v.at.Hash.next(l.body); hash != l.hash {
		b := broken(seq, "it is not what was written: its hash is %s, and its content behind the entry before gives %s", l.hash, hash)
		b.Time = e.Time
		return b
	}
	if e.Seq != seq {
		return broken(seq, "it says that it is entry %d", e.Seq)
	}
	if want, ok := v.anchors[seq]; ok && want != l.hash {
		b := broken(seq, "the anchor has the hash %s there, and the chain has %s: what is up to here was written anew", want, l.hash)
		b.Time = e.Time
		return b
	}
	v.at = Receipt{Seq: seq, Hash: l.hash}
	if v.out.Entries == 0 {
		v.out.First = v.at
	}
	v.out.Entries++
	v.out.Last = v.at
	l.entry = e
	if e.Kind == Pruned {
		return v.pruned(&e)
	}
	return nil
}

// pruned takes in what an entry says of a cut.
func (v *verifier) pruned(e *Entry) error {
	through, err := strconv.ParseInt(e.Details[detailThrough], 10, 64)
	r, hashErr := ParseReceipt(e.Details[detailThrough] + ":" + e.Details[detailHash])
	if err != nil || hashErr != nil {
		return broken(e.Seq, "it does not say what was cut off")
	}
	v.said[through] = r.Hash
	v.out.Pruned = max(v.out.Pruned, through)
	return nil
}

// end looks at what can only be told when the chain was followed to its end.
func (v *verifier) end(last *Receipt) error {
	if v.base.Seq > 0 {
		if hash, ok := v.said[v.base.Seq]; ok && hash != v.base.Hash {
			return broken(v.base.Seq+1, "what was cut off before it ended with another hash than the chain begins with")
		}
		if v.out.Pruned < v.base.Seq {
			return broken(v.base.Seq+1, "what was before it was cut off, and no entry says so")
		}
	}
	if last != nil {
		switch {
		case v.at.Seq < last.Seq:
			return broken(v.at.Seq+1, "it is missing, and all up to entry %d, the last that was written", last.Seq)
		case v.at.Seq > last.Seq || v.at.Hash != last.Hash:
			return broken(v.at.Seq, "the head of the ledger is entry %d with the hash %s, and the chain ends here with %s", last.Seq, last.Hash, v.at.Hash)
		}
	}
	for seq := range v.anchors {
		if seq > v.at.Seq {
			return broken(v.at.Seq+1, "it is missing, and all up to entry %d, which the anchor names", seq)
		}
	}
	return nil
}

// Verify follows the whole chain, on one state of the ledger, and says where it breaks first. Anchors are receipts that
// were kept elsewhere: without one, a chain that was written anew from somewhere, to its end, looks whole.
//
// An error means that it could not be told.
func (s *Store) Verify(ctx context.Context, anchors ...Receipt) (Verification, error) {
	v := &verifier{}
	err := s.inSnapshot(ctx, func(tx *sql.Tx) error {
		h, err := s.scanHead(tx.QueryRowContext(ctx, headQuery))
		if err != nil {
			return err
		}
		v = newVerifier(h.base, anchors)
		v.out.Chain = h.chain
		var followed error
		err = s.walk(ctx, tx, Query{}, func(w *walked) error {
			if followed = v.link(w.seq, &w.link); followed == nil {
				followed = w.compare()
			}
			return followed
		})
		if followed != nil {
			return followed
		}
		if err != nil {
			return err
		}
		return v.end(&h.last)
	})
	return v.result(err)
}

func (v *verifier) result(err error) (Verification, error) {
	if b, ok := err.(*Break); ok { //nolint:errorlint // it is never wrapped
		v.out.Break = b
		return v.out, nil
	}
	if errors.Is(err, ErrCorrupt) { // the disk's doing, or somebody's: what is behind cannot be read
		v.out.Break = broken(v.at.Seq+1, "it cannot be read: %v", err)
		return v.out, nil
	}
	if err != nil {
		return v.out, fmt.Errorf("verifying the ledger behind entry %d: %w", v.at.Seq, err)
	}
	return v.out, nil
}

// compare looks whether an entry is found by what it says.
func (w *walked) compare() error {
	want, got := columnsOf(&w.entry), w.columns
	if reflect.DeepEqual(want, got) {
		return nil
	}
	b := broken(w.seq, "the columns by which it is searched are not those of its content")
	b.Time = w.entry.Time
	return b
}

// maxLine is how long a line of an export may be: the longest entry, with every character escaped.
const maxLine = 1 << 20

// VerifyExport follows the chain of an export (jsonl) that holds all entries of a time.
func VerifyExport(r io.Reader, anchors ...Receipt) (Verification, error) {
	v := newVerifier(Receipt{}, anchors)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	first := true
	err := func() error {
		for lines.Scan() {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			l, before, err := parseLine(lines.Bytes())
			if err != nil {
				return broken(v.at.Seq+1, "it cannot be read: %v", err)
			}
			if first { // an export may begin anywhere
				v.at = Receipt{Seq: l.entry.Seq - 1, Hash: before}
				first = false
			}
			if l.entry.Seq == v.at.Seq+1 && before != v.at.Hash {
				return broken(l.entry.Seq, "it is linked to %s, and the entry before has %s", before, v.at.Hash)
			}
			if err := v.link(l.entry.Seq, &l); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil {
			return err //nolint:wrapcheck // result says what was being done
		}
		return v.end(nil)
	}()
	return v.result(err)
}
