package controlplane

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func shell(t *testing.T, script string) command {
	t.Helper()
	dir := t.TempDir()
	return command{component: "some-server", path: "/bin/sh", args: []string{"-c", script}, dir: dir, log: filepath.Join(dir, "some.log")}
}

func TestChildThatEndsUnaskedIsReportedWithTheEndOfItsLog(t *testing.T) {
	for name, tc := range map[string]struct{ script, state string }{
		"with an error":    {"seq 1 100; echo broken >&2; exit 3", "exit status 3"},
		"without an error": {"seq 1 100; echo broken >&2", "exit status 0"},
		"by a signal":      {"seq 1 100; echo broken >&2; kill -TERM $$", "signal: terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan *child, 1)
			ch, err := startChild(shell(t, tc.script), func(ch *child) { ended <- ch })
			if err != nil {
				t.Fatal(err)
			}
			if got := <-ended; got != ch {
				t.Errorf("the report is about %v, want %v", got, ch)
			}
			var lines []string
			for i := 77; i <= 100; i++ {
				lines = append(lines, fmt.Sprint(i))
			}
			want := "some-server ended: " + tc.state + "\n--- end of " + ch.log + "\n" + strings.Join(append(lines, "broken"), "\n") + "\n---"
			if got := ch.obituary().Error(); got != want {
				t.Errorf("obituary:\n%s\nwant:\n%s", got, want)
			}
			ch.kill() // of the dead is allowed
		})
	}
}

func TestChildThatIsKilledIsGoneAndNotReported(t *testing.T) {
	ch, err := startChild(shell(t, "exec sleep 600"), func(*child) { t.Error("the end that was asked for is reported") })
	if err != nil {
		t.Fatal(err)
	}
	if !ch.alive() {
		t.Fatal("the child is not alive")
	}
	ch.kill()
	if ch.alive() {
		t.Error("the child is alive after kill")
	}
	ch.kill()
}

func TestChildThatCannotBeStartedIsAnError(t *testing.T) {
	c := shell(t, "")
	c.path = filepath.Join(c.dir, "missing")
	_, err := startChild(c, func(*child) { t.Error("a child that never was is reported") })
	want := "start some-server: fork/exec " + c.path + ": no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestTailKeepsTheLastLines(t *testing.T) {
	if got := tail([]byte("one\ntwo\n")); got != "one\ntwo" {
		t.Errorf("tail of a short log is %q", got)
	}
	got := strings.Split(tail([]byte(strings.Repeat("line\n", 1000)+"last\n")), "\n")
	if len(got) != 25 || got[24] != "last" || slices.Contains(got, "") {
		t.Errorf("tail of a long log is %q", got)
	}
	if got := tail([]byte(strings.Repeat("x", 1<<20))); len(got) != 8<<10 {
		t.Errorf("tail of one long line has %d bytes", len(got))
	}
}
