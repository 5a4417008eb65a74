//go:build !unix

package traffic

import (
	"errors"
	"time"
)

func cpuTime() (time.Duration, error) {
	return 0, errors.New("asking for the CPU time: this needs a Unix")
}
