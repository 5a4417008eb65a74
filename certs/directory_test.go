package certs

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mount is a directory as a kubelet fills it: a link to the directory of the moment, swapped as a whole.
type mount struct {
	dir   string
	count int
}

func (m *mount) put(t *testing.T, files map[string][]byte) {
	t.Helper()
	m.count++
	name := "..data_" + strconv.Itoa(m.count)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Mkdir(filepath.Join(m.dir, name), 0o700))
	for file, text := range files {
		check(os.WriteFile(filepath.Join(m.dir, name, file), text, 0o600))
	}
	check(os.Symlink(name, filepath.Join(m.dir, "..data_tmp")))
	check(os.Rename(filepath.Join(m.dir, "..data_tmp"), filepath.Join(m.dir, "..data")))
	if m.count == 1 {
		for _, file := range []string{keyLeaf, keyLeafKey, keyBundle} {
			check(os.Symlink(filepath.Join("..data", file), filepath.Join(m.dir, file)))
		}
	}
}

// issued gives the files that an issuer like cert-manager puts there.
func issued(t *testing.T, ca *pair, now time.Time) map[string][]byte {
	t.Helper()
	leaf, err := newLeaf(ca, []string{host}, now, now.Add(90*day))
	if err != nil {
		t.Fatal(err)
	}
	key, err := encodeKey(leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{keyLeaf: encodeCerts(leaf.cert), keyLeafKey: key, keyBundle: encodeCerts(ca.cert)}
}

func testCA(t *testing.T, now time.Time) *pair {
	t.Helper()
	ca, err := newCA(now, now.Add(365*day))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newTestDirectory(t *testing.T, dir string, logger *slog.Logger) *Directory {
	t.Helper()
	d, err := NewDirectory(DirectoryOptions{Dir: dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestANewCertificateOfTheSameCAIsServedAtOnce(t *testing.T) {
	now := time.Now()
	m, ca := &mount{dir: t.TempDir()}, testCA(t, now)
	m.put(t, issued(t, ca, now))
	d := newTestDirectory(t, m.dir, nil)
	d.settle(now)
	first := d.value.Load()
	m.put(t, issued(t, ca, now))
	if wait := d.settle(now); wait != reread {
		t.Errorf("waits %s, expected %s", wait, reread)
	}
	second := d.value.Load()
	if second.leaf.Leaf.Equal(first.leaf.Leaf) {
		t.Error("the old certificate is still served")
	}
	if !bytes.Equal(first.bundle, second.bundle) {
		t.Error("the bundle has changed")
	}
	if err := handshake(d.TLSConfig(), first.bundle, host); err != nil {
		t.Error(err)
	}
}

func TestANewCAIsMadeKnownBeforeItIsServed(t *testing.T) {
	now := time.Now()
	m, old, next := &mount{dir: t.TempDir()}, testCA(t, now), testCA(t, now.Add(time.Second))
	m.put(t, issued(t, old, now))
	d := newTestDirectory(t, m.dir, nil)
	d.settle(now)
	oldBundle := d.CABundle()
	m.put(t, issued(t, next, now))

	if wait := d.settle(now); wait != reread {
		t.Errorf("waits %s, expected %s", wait, reread)
	}
	both := d.CABundle()
	if want := encodeCerts(next.cert, old.cert); !bytes.Equal(both, want) {
		t.Error("at first: the bundle is not the new and the old CA")
	}
	if err := handshake(d.TLSConfig(), oldBundle, host); err != nil {
		t.Errorf("at first: %v", err)
	}

	if wait := d.settle(now.Add(119 * time.Second)); wait != time.Second {
		t.Errorf("waits %s, expected the second that is left", wait)
	}
	if err := handshake(d.TLSConfig(), oldBundle, host); err != nil {
		t.Errorf("just before: %v", err)
	}

	d.settle(now.Add(2 * time.Minute))
	if err := handshake(d.TLSConfig(), both, host); err != nil {
		t.Errorf("after two minutes: %v", err)
	}
	if !bytes.Equal(d.CABundle(), both) {
		t.Error("after two minutes: the old CA is gone, though it has just been in use")
	}

	d.settle(now.Add(4 * time.Minute))
	if !bytes.Equal(d.CABundle(), encodeCerts(next.cert)) {
		t.Error("after four minutes: the old CA is still trusted")
	}
	if err := handshake(d.TLSConfig(), d.CABundle(), host); err != nil {
		t.Errorf("after four minutes: %v", err)
	}
}

func TestAnExpiringCertificateIsNotServedForTheOverlap(t *testing.T) {
	now := time.Now()
	m, old, next := &mount{dir: t.TempDir()}, testCA(t, now), testCA(t, now)
	m.put(t, issued(t, old, now))
	d := newTestDirectory(t, m.dir, nil)
	d.settle(now)
	late := d.value.Load().leaf.Leaf.NotAfter.Add(-time.Second)
	m.put(t, issued(t, next, now))
	if wait := d.settle(late); wait != time.Second {
		t.Errorf("waits %s, expected the second that is left", wait)
	}
	d.settle(late.Add(time.Second))
	if err := handshake(d.TLSConfig(), encodeCerts(next.cert), host); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeServedIsToldOnce(t *testing.T) {
	now := time.Now()
	ca, other := testCA(t, now), testCA(t, now)
	good := issued(t, ca, now)
	with := func(key string, text []byte) map[string][]byte {
		out := map[string][]byte{}
		for k, v := range good {
			out[k] = v
		}
		if out[key] = text; text == nil {
			delete(out, key)
		}
		return out
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"no key":           {with(keyLeafKey, nil), "/tls.key: no such file or directory"},
		"another's key":    {with(keyLeafKey, issued(t, ca, now)[keyLeafKey]), "reading tls.crt and tls.key: tls: private key does not match public key"},
		"no CA":            {with(keyBundle, []byte("none\n")), "reading ca.crt: there is no certificate in it"},
		"a CA of another":  {with(keyBundle, encodeCerts(other.cert)), "verifying tls.crt by ca.crt: x509: certificate signed by unknown authority"},
		"not a PEM at all": {with(keyLeaf, []byte("x")), "reading tls.crt and tls.key: tls: failed to find any PEM data in certificate input"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			m := &mount{dir: t.TempDir()}
			m.put(t, good)
			d := newTestDirectory(t, m.dir, slog.New(slog.NewTextHandler(&log, nil)))
			d.settle(now)
			m.put(t, c.files)
			d.settle(now)
			d.settle(now.Add(time.Minute))
			if !strings.Contains(log.String(), c.want) || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("the log says %sexpected one line with %s", log.String(), c.want)
			}
			if strings.Contains(log.String(), "PRIVATE KEY") {
				t.Error("the log shows a key")
			}
			if err := handshake(d.TLSConfig(), encodeCerts(ca.cert), host); err != nil {
				t.Errorf("what was served before: %v", err)
			}
		})
	}
}

func TestAnIntermediateComesWithTheCertificate(t *testing.T) {
	now := time.Now()
	ca := func(name string, depth int, parent *pair) *pair {
		c, err := issue(&x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-day), NotAfter: now.Add(day), IsCA: true,
			BasicConstraintsValid: true, MaxPathLen: depth, MaxPathLenZero: depth == 0, KeyUsage: x509.KeyUsageCertSign,
		}, parent)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	root := ca("root", 1, nil)
	middle := ca("middle", 0, root)
	files := issued(t, middle, now)
	files[keyLeaf] = append(files[keyLeaf], encodeCerts(middle.cert)...)
	files[keyBundle] = encodeCerts(root.cert)
	m := &mount{dir: t.TempDir()}
	m.put(t, files)
	d := newTestDirectory(t, m.dir, nil)
	d.settle(now)
	if err := handshake(d.TLSConfig(), encodeCerts(root.cert), host); err != nil {
		t.Error(err)
	}
}

func TestAChangeOfTheDirectoryIsHeard(t *testing.T) {
	now := time.Now()
	m, ca := &mount{dir: t.TempDir()}, testCA(t, now)
	m.put(t, issued(t, ca, now))
	d := newTestDirectory(t, m.dir, nil)
	run(t, d)
	heard := func(what string) {
		t.Helper()
		select {
		case <-d.Changed():
		case <-time.After(30 * time.Second):
			t.Fatalf("%s was not heard of", what)
		}
	}
	heard("the first certificate")
	m.put(t, issued(t, testCA(t, now), now))
	heard("a new CA")
}

func TestADirectoryThatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	want := "watching " + dir + ": no such file or directory"
	if err := newTestDirectory(t, dir, nil).Run(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v, expected %s", err, want)
	}
}
