package ledger

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// childArg makes the test's program another one: something that a test needs to kill, or to bound.
const childArg = "-ledger-child"

// child runs in a program of its own, until it is killed or something fails.
func child(args []string) int {
	switch {
	case len(args) == 2 && args[0] == "append": // one by one, each told of once it is on disk
		s, err := Open(context.Background(), Source{File: args[1]})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for {
			r, err := s.Append(context.Background(), full())
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			fmt.Println(r)
		}
	case len(args) == 3 && args[0] == "fill": // until it is refused, under a bound of the size of files
		bytes, err := strconv.ParseUint(args[2], 10, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		s, err := Open(context.Background(), Source{File: args[1]})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for {
			r, err := s.Append(context.Background(), full())
			if err != nil {
				fmt.Println("refused:", err)
				return 0
			}
			fmt.Println(r)
		}
	default:
		fmt.Fprintln(os.Stderr, "unknown child:", args)
		return 1
	}
}
