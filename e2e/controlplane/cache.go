package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// cacheEnv names the cache directory where Options do not.
const cacheEnv = "HOLDFAST_E2E_CACHE"

// cache is the directory that outlives a run: built programs, and the directories of control planes.
type cache string

func openCache(dir string) (cache, error) {
	if dir == "" {
		dir = os.Getenv(cacheEnv)
	}
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory (%s names another): %w", cacheEnv, err)
		}
		dir = filepath.Join(base, "holdfast-e2e")
	}
	// Programs run in other directories than this process, so a relative path would be of no use to them.
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("open the cache directory: %w", err)
	}
	return cache(dir), nil
}

func (c cache) programs() string { return filepath.Join(string(c), "bin") }
func (c cache) runs() string     { return filepath.Join(string(c), "run") }

// lockBuild takes the lock under which programs are built; busy is called once if somebody else has it.
func (c cache) lockBuild(ctx context.Context, busy func()) (unlock func(), err error) {
	path := filepath.Join(string(c), "build.lock")
	file, err := tryLock(path)
	if errors.Is(err, errLocked) {
		busy()
		err = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(context.Context) (bool, error) {
			var err error
			file, err = tryLock(path)
			if errors.Is(err, errLocked) {
				return false, nil
			}
			return err == nil, err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("take the build lock: %w", err)
	}
	// Closing drops the lock, and so does the end of the process: there is no stale lock to clear.
	return func() { _ = file.Close() }, nil
}

// leftoverAge is how long the directory of a control plane whose owner died is kept, for somebody to read its logs.
const leftoverAge = time.Hour

// newRun makes a directory for one control plane, which stays locked while the returned file is open.
// It first removes the directories that owners left which were killed.
func (c cache) newRun(now time.Time) (dir string, lock *os.File, err error) {
	if err := os.MkdirAll(c.runs(), 0o700); err != nil {
		return "", nil, fmt.Errorf("make the directory of the control plane: %w", err)
	}
	if err := c.sweepRuns(now); err != nil {
		return "", nil, err
	}
	dir, err = os.MkdirTemp(c.runs(), "")
	if err != nil {
		return "", nil, fmt.Errorf("make the directory of the control plane: %w", err)
	}
	lock, err = tryLock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", nil, fmt.Errorf("lock the directory of the control plane: %w", err)
	}
	return dir, lock, nil
}

func (c cache) sweepRuns(now time.Time) error {
	entries, err := os.ReadDir(c.runs())
	if err != nil {
		return fmt.Errorf("look for leftover directories: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || now.Sub(info.ModTime()) < leftoverAge {
			continue // Gone meanwhile, or young.
		}
		dir := filepath.Join(c.runs(), entry.Name())
		lock, err := tryLock(filepath.Join(dir, "lock"))
		if err != nil {
			continue // Its owner lives.
		}
		err = os.RemoveAll(dir)
		_ = lock.Close()
		if err != nil {
			return fmt.Errorf("remove a leftover directory: %w", err)
		}
	}
	return nil
}

// tryLock locks the file, which it makes if need be, or answers errLocked at once.
func tryLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
