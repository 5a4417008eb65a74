//go:build unix

package traffic

import (
	"fmt"
	"syscall"
	"time"
)

// cpuTime is what this process has used so far, in its own code and in the kernel's.
func cpuTime() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("asking for the CPU time: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
