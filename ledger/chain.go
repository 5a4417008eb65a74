package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Hash is the SHA-256 of the hash before and an entry's bytes: it stands for the entry and all that are before it.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// next is the hash of an entry behind h.
func (h Hash) next(body []byte) Hash {
	sum := sha256.New()
	sum.Write(h[:])
	sum.Write(body)
	return Hash(sum.Sum(nil))
}

func hashOf(raw []byte) (h Hash, ok bool) {
	ok = len(raw) == len(h)
	copy(h[:], raw)
	return h, ok
}

// Receipt is a place in the chain, with the hash there. Kept somewhere else it is an anchor: as long as the ledger has
// it, nothing up to there was changed or cut off at the end.
type Receipt struct {
	Seq  int64
	Hash Hash
}

// String writes the receipt as ParseReceipt reads it: SEQ:HASH.
func (r Receipt) String() string { return strconv.FormatInt(r.Seq, 10) + ":" + r.Hash.String() }

// ParseReceipt reads SEQ:HASH.
func ParseReceipt(text string) (Receipt, error) {
	seq, hash, ok := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	raw, hexErr := hex.DecodeString(hash)
	h, whole := hashOf(raw)
	if !ok || err != nil || hexErr != nil || !whole || n < 1 {
		return Receipt{}, fmt.Errorf("%q is no anchor: expected SEQ:HASH, as serve logs it", text)
	}
	return Receipt{Seq: n, Hash: h}, nil
}

// link is an entry as it is stored.
type link struct {
	entry Entry
	body  []byte
	hash  Hash
}

// line writes the link for an export: the entry's own bytes, with the hash before and its own as two more members, so
// that whoever cuts them off has what was hashed.
func (l *link) line(before Hash) []byte {
	out := make([]byte, 0, len(l.body)+lineTail+1)
	out = append(out, bytes.TrimSuffix(l.body, []byte("}"))...)
	out = fmt.Appendf(out, tailFormat, before, l.hash)
	return append(out, '\n')
}

const (
	tailFormat = `,"before":"%s","hash":"%s"}`
	// lineTail is how long that is.
	lineTail = len(tailFormat) - 2*len("%s") + 2*2*sha256.Size
)

// parseLine is the other way round.
func parseLine(raw []byte) (l link, before Hash, err error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) <= lineTail {
		return l, before, fmt.Errorf("the line is no entry of an export")
	}
	head, tail := raw[:len(raw)-lineTail], raw[len(raw)-lineTail:]
	hexes := strings.Split(strings.Trim(string(tail), ",}"), `"`)
	const first, second = 3, 7 // "before" : "HASH" , "hash" : "HASH"
	if len(hexes) > second {
		b, _ := hex.DecodeString(hexes[first])
		h, _ := hex.DecodeString(hexes[second])
		var okBefore, okHash bool
		before, okBefore = hashOf(b)
		l.hash, okHash = hashOf(h)
		if okBefore && okHash && string(tail) == fmt.Sprintf(tailFormat, before, l.hash) {
			l.body = append(append([]byte(nil), head...), '}')
			l.entry, err = decode(l.body)
			return l, before, err
		}
	}
	return l, before, fmt.Errorf("the line is no entry of an export")
}
