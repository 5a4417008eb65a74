package controlplane

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func tempCache(t *testing.T) cache {
	t.Helper()
	c, err := openCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCacheDirectoryIsTheOptionThenTheEnvironment(t *testing.T) {
	option, env := t.TempDir(), t.TempDir()
	t.Setenv(cacheEnv, env)
	for dir, want := range map[string]string{option: option, "": env} {
		got, err := openCache(dir)
		if err != nil || string(got) != want {
			t.Errorf("openCache(%q) = %q, %v; want %q", dir, got, err, want)
		}
	}
	home := t.TempDir()
	t.Setenv(cacheEnv, "")
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", "")
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	got, err := openCache("")
	if want := filepath.Join(base, "holdfast-e2e"); err != nil || string(got) != want {
		t.Errorf("openCache() = %q, %v; want %q", got, err, want)
	}
}

func TestBuildLockLetsOneInAndTellsTheOther(t *testing.T) {
	c := tempCache(t)
	unlock, err := c.lockBuild(t.Context(), func() { t.Error("a free lock is called busy") })
	if err != nil {
		t.Fatal(err)
	}
	busy, got := make(chan struct{}), make(chan error)
	go func() {
		unlockSecond, err := c.lockBuild(t.Context(), func() { close(busy) })
		if err == nil {
			unlockSecond()
		}
		got <- err
	}()
	<-busy
	select {
	case err := <-got:
		t.Fatalf("the second comer was let in: %v", err)
	default:
	}
	unlock()
	if err := <-got; err != nil {
		t.Errorf("the second comer was not let in: %v", err)
	}
}

func TestBuildLockIsWaitedForNoLongerThanTheContextAllows(t *testing.T) {
	c := tempCache(t)
	unlock, err := c.lockBuild(t.Context(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.lockBuild(ctx, cancel)
	if !errors.Is(err, context.Canceled) || err.Error() != "take the build lock: context canceled" {
		t.Errorf("error %v", err)
	}
}

func TestDirectoriesOfTheDeadAreRemovedAfterAnHour(t *testing.T) {
	c := tempCache(t)
	now := time.Now()
	newRun := func() (string, *os.File) {
		dir, lock, err := c.newRun(now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = lock.Close() })
		return dir, lock
	}
	backdate := func(dir string) {
		old := now.Add(-2 * time.Hour)
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	live, _ := newRun()
	dead, deadLock := newRun()
	fresh, freshLock := newRun()
	for _, lock := range []*os.File{deadLock, freshLock} {
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
	backdate(live)
	backdate(dead)
	newRun()
	for dir, want := range map[string]bool{live: true, dead: false, fresh: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("after the sweep %s exists: %v, want %v (live %s, dead %s, fresh %s)", dir, err == nil, want, live, dead, fresh)
		}
	}
}
