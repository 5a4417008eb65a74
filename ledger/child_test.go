package ledger

import (
	"context"
	"fmt"
	"os"
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
	default:
		fmt.Fprintln(os.Stderr, "unknown child:", args)
		return 1
	}
}
