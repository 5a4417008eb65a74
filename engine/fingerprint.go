package engine

import (
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/holdfast-io/holdfast/engine/number"
)

// Fingerprint stands for what rules read of an object. It is of use in the process that made its Seed.
type Fingerprint struct{ high, low uint64 }

// Seed makes fingerprints of one process different from those of any other, so that nobody can write two objects that
// have the same one: 128 bits and a secret let 2^64 objects pass before two are taken for one by chance.
type Seed struct {
	one, two maphash.Seed
	keys     Fingerprint
}

// NewSeed makes a random seed.
func NewSeed() Seed {
	s := Seed{one: maphash.MakeSeed(), two: maphash.MakeSeed()}
	s.keys = s.text("keys")
	return s
}

// What a value is stands before what it holds: the text "1" is not the number 1, and nothing is not null.
const (
	tagAbsent uint64 = iota + 1
	tagNull
	tagFalse
	tagTrue
	tagNumber
	tagText
	tagList
	tagMap
	tagOther
)

// Fingerprint hashes what is read of the object: values as encoding/json decodes them, and integers as clients do. It
// costs a walk over what is read, and allocates nothing.
func (r *Reads) Fingerprint(seed *Seed, object map[string]any) Fingerprint {
	return r.node(seed, &r.root, object, atTop)
}

// level tells how far a map is from the metadata of the object, of which some does not count.
type level uint8

const (
	atTop level = iota
	atMetadata
	elsewhere
)

func (r *Reads) node(seed *Seed, n *readNode, value any, at level) Fingerprint {
	m, ok := value.(map[string]any)
	if n.whole || !ok {
		return r.value(seed, value, at)
	}
	sum := seed.mix(seed.keys, tagMap)
	for i, key := range n.keys {
		f := seed.mix(seed.keys, tagAbsent)
		if value, ok := m[key]; ok {
			below := elsewhere
			if at == atTop && key == "metadata" {
				below = atMetadata
			}
			f = r.node(seed, &n.below[i], value, below)
		}
		sum = seed.join(sum, f)
	}
	return sum
}

func (r *Reads) value(seed *Seed, value any, at level) Fingerprint {
	switch v := value.(type) {
	case nil:
		return seed.mix(seed.keys, tagNull)
	case bool:
		if v {
			return seed.mix(seed.keys, tagTrue)
		}
		return seed.mix(seed.keys, tagFalse)
	case float64:
		return seed.number(v)
	case int64:
		return seed.number(float64(v))
	case string:
		return seed.mix(seed.text(v), tagText)
	case []any:
		sum := seed.mix(seed.keys, tagList+uint64(len(v))<<8)
		for i := range v {
			sum = seed.join(sum, r.value(seed, v[i], elsewhere))
		}
		return sum
	case map[string]any:
		// Maps have no order: their entries are summed up.
		var sum Fingerprint
		for key, value := range v {
			below := elsewhere
			switch {
			case at == atTop && key == "metadata":
				below = atMetadata
			case at == atMetadata && (key == "managedFields" && !r.fields || key == "resourceVersion" && !r.version):
				continue
			}
			f := seed.join(seed.text(key), r.value(seed, value, below))
			carry := uint64(0)
			sum.low, carry = bits.Add64(sum.low, f.low, 0)
			sum.high, _ = bits.Add64(sum.high, f.high, carry)
		}
		return seed.mix(sum, tagMap)
	default:
		if n, ok := number.Canonical(value).(float64); ok {
			return seed.number(n)
		}
		return seed.mix(seed.keys, tagOther) // no JSON value
	}
}

func (s *Seed) number(v float64) Fingerprint {
	if v == 0 {
		v = 0 // and not -0, which is the same number
	}
	n := math.Float64bits(v)
	return s.mix(Fingerprint{n, n}, tagNumber)
}

func (s *Seed) text(v string) Fingerprint {
	return Fingerprint{maphash.String(s.one, v), maphash.String(s.two, v)}
}

// mix stirs a number in.
func (s *Seed) mix(f Fingerprint, with uint64) Fingerprint {
	return Fingerprint{stir(f.high^with, s.keys.high), stir(f.low^with, s.keys.low)}
}

// join stirs b into a: the order counts.
func (s *Seed) join(a, b Fingerprint) Fingerprint {
	return Fingerprint{
		stir(bits.RotateLeft64(a.high, 23)^b.high, s.keys.high),
		stir(bits.RotateLeft64(a.low, 23)^b.low, s.keys.low),
	}
}

// stir spreads every bit of v over all of the answer.
func stir(v, key uint64) uint64 {
	high, low := bits.Mul64(v^key, 0x9e3779b97f4a7c15)
	v = high ^ low
	high, low = bits.Mul64(v^0xbf58476d1ce4e5b9, key|1)
	return high ^ low ^ v
}
