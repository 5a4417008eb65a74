package scale

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// usage is what a process has used.
type usage struct {
	cpu       float64 // seconds
	rss, peak int64   // bytes
}

// clockTick is how many ticks a second has in /proc: 100 on every Linux that Go runs on.
const clockTick = 100

// usageOf reads /proc.
func usageOf(pid int) (u usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, fmt.Errorf("read what process %d has used: %w", pid, err)
	}
	if u.cpu, err = cpuOf(string(stat)); err != nil {
		return u, fmt.Errorf("read %sstat: %w", dir, err)
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return u, fmt.Errorf("read what process %d has used: %w", pid, err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			u.peak = kib << 10
		}
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			u.rss = kib << 10
		}
	}
	return u, nil
}

// cpuOf takes user and system time from a line of /proc/PID/stat: the 14th and 15th field. The second, the program's
// name in brackets, may hold anything.
func cpuOf(stat string) (float64, error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("%q has too few fields", stat)
	}
	ticks := uint64(0)
	for _, field := range fields[11:13] {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("the time %q is no number", field)
		}
		ticks += n
	}
	return float64(ticks) / clockTick, nil
}
