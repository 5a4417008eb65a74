package app

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressIsShownOfLongWorkAndWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(IO{Err: &out, Progress: true}, "judging", 3)
		p.step()
		p.step()
		time.Sleep(progressEvery + time.Millisecond)
		p.stop()
		if got, want := out.String(), "\r\x1b[Kjudging 2 of 3\r\x1b[K"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestProgressIsNotShown(t *testing.T) {
	for name, streams := range map[string]IO{"of short work": {Progress: true}, "where there is no terminal": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				streams.Err = &out
				p := newProgress(streams, "judging", 1)
				p.step()
				p.stop()
				if out.Len() > 0 {
					t.Errorf("got %q", out.String())
				}
			})
		})
	}
}
