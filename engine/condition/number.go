package condition

import (
	"math"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// size says how a text reads as a quantity.
type size uint8

const (
	notQuantity size = iota
	isQuantity
	tooLarge // the syntax of a quantity, out of the bounds below
)

// Bounds on the quantities that are reckoned with. resource.ParseQuantity takes any exponent and
// expands it to a decimal when it compares, so that 1e1000000000, which anybody may write into a label,
// would take gigabytes and minutes. 999 is far above both 2^63, where Kubernetes caps its own, and the
// 10^308 of a float64; 256 digits are to match.
const (
	maxExponent    = 999
	maxNumeralSize = 256
)

// startsNumber reports whether s begins as a number does: a digit after at most a sign and a point. It
// saves most texts from parsers that allocate their errors, and it keeps quantities honest:
// resource.ParseQuantity reads the bare suffixes "M" and "m" as zero.
func startsNumber(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	if s != "" && s[0] == '.' {
		s = s[1:]
	}
	return s != "" && isDigit(s[0])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// mayBeDuration keeps away what time.ParseDuration is sure to refuse: it ends in a unit or is a zero.
func mayBeDuration(s string) bool {
	if !startsNumber(s) {
		return false
	}
	switch s[len(s)-1] {
	case 's', 'm', 'h', '0':
		return true
	default:
		return false
	}
}

// parseNumber reads a number in text. Unlike strconv it takes "inf" and "nan" for the words they are.
func parseNumber(s string) (float64, bool) {
	if !startsNumber(s) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

func parseQuantity(s string) (resource.Quantity, size) {
	if !startsNumber(s) {
		return resource.Quantity{}, notQuantity
	}
	if len(s) > maxNumeralSize {
		if strings.Trim(s, "+-.0123456789eEinumkKMGTP") == "" {
			return resource.Quantity{}, tooLarge
		}
		return resource.Quantity{}, notQuantity
	}
	if i := strings.IndexAny(s, "eE"); i > 0 && strings.Trim(s[:i], "+-.0123456789") == "" {
		exponent, _ := strconv.Atoi(s[i+1:]) // an extreme when out of range, 0 when no exponent at all, as in 1Ei
		if exponent < -maxExponent || exponent > maxExponent {
			return resource.Quantity{}, tooLarge
		}
	}
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return resource.Quantity{}, notQuantity
	}
	return q, isQuantity
}

// seconds makes a duration of a number of whole seconds. What no duration can hold becomes the longest.
func seconds(n float64) time.Duration {
	const most = float64(math.MaxInt64 / int64(time.Second))
	switch {
	case n >= most:
		return math.MaxInt64
	case n <= -most:
		return math.MinInt64
	default:
		return time.Duration(n) * time.Second
	}
}
