package manifests_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/manifests"
)

// signer signs for a test, with a key of its own.
type signer struct {
	public string // PEM
	sign   func(message []byte) []byte
}

func newSigner(t testing.TB, key crypto.Signer) signer {
	t.Helper()
	raw, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: raw}))
	return signer{public, func(message []byte) []byte {
		hash, digest := crypto.Hash(0), message
		if _, ok := key.(ed25519.PrivateKey); !ok {
			sum := sha256.Sum256(message)
			hash, digest = crypto.SHA256, sum[:]
		}
		signature, err := key.Sign(rand.Reader, digest, hash)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}}
}

func ecdsaSigner(t testing.TB) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newSigner(t, key)
}

func compress(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func archive(t testing.TB, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return compress(t, b.Bytes())
}

func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

// signed is the object with the message and a signature of each signer in its annotations.
func signed(t testing.TB, object string, message []byte, by ...signer) map[string]any {
	t.Helper()
	annotations := map[string]any{"cosign.sigstore.dev/message": base64.StdEncoding.EncodeToString(compress(t, message))}
	for i, s := range by {
		name := "cosign.sigstore.dev/signature" + []string{"", "_1", "_2"}[i]
		annotations[name] = base64.StdEncoding.EncodeToString(s.sign(message))
	}
	out := decode(t, object)
	out["metadata"].(map[string]any)["annotations"] = annotations
	return out
}

// entry is an attestor with the keys of these signers.
func entry(by ...signer) kyvernov1.Attestor {
	var keys strings.Builder
	for _, s := range by {
		keys.WriteString(s.public)
	}
	return kyvernov1.Attestor{Keys: &kyvernov1.StaticKeyAttestor{PublicKeys: keys.String()}}
}

func all(entries ...kyvernov1.Attestor) *kyvernov1.Manifests {
	return &kyvernov1.Manifests{Attestors: []kyvernov1.AttestorSet{{Entries: entries}}}
}

func some(count int, entries ...kyvernov1.Attestor) *kyvernov1.Manifests {
	spec := all(entries...)
	spec.Attestors[0].Count = &count
	return spec
}

func verdict(t testing.TB, spec *kyvernov1.Manifests, object map[string]any) string {
	t.Helper()
	c, err := manifests.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	res := c.Evaluate(object)
	switch res.Outcome {
	case manifests.Pass:
		return "pass"
	case manifests.Fail:
		return "fail: " + res.Reason
	default:
		return "error: " + res.Err.Error()
	}
}

const deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1, template: {spec: {containers: [{name: a, image: nginx}]}}}}`

func TestSignatures(t *testing.T) {
	a, b := ecdsaSigner(t), ecdsaSigner(t)
	rsaPrivate, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, e := newSigner(t, rsaPrivate), newSigner(t, edPrivate)
	message := []byte(deployment)
	nested := func(spec *kyvernov1.Manifests) kyvernov1.Attestor {
		raw, err := json.Marshal(spec.Attestors[0])
		if err != nil {
			t.Fatal(err)
		}
		out := kyvernov1.Attestor{}
		if err := json.Unmarshal([]byte(`{"attestor":`+string(raw)+`}`), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	keyless := kyvernov1.Attestor{Keyless: &kyvernov1.KeylessAttestor{Issuer: "x"}}
	annotated := entry(a)
	annotated.Annotations = map[string]string{"team": "red"}
	const notOurs = "no signature is from attestors[0].entries[0].keys"
	tests := map[string]struct {
		spec *kyvernov1.Manifests
		by   []signer
		want string
	}{
		"an ECDSA key":                             {all(entry(a)), []signer{a}, "pass"},
		"an RSA key":                               {all(entry(r)), []signer{r}, "pass"},
		"an Ed25519 key":                           {all(entry(e)), []signer{e}, "pass"},
		"another's key":                            {all(entry(a)), []signer{b}, "fail: " + notOurs},
		"no signature":                             {all(entry(a)), nil, "fail: the object is not signed: it has no annotation cosign.sigstore.dev/signature"},
		"the second signature":                     {all(entry(a)), []signer{b, a}, "pass"},
		"all keys":                                 {all(entry(a), entry(b)), []signer{b, a}, "pass"},
		"all keys, of which one signed":            {all(entry(a), entry(b)), []signer{b}, "fail: 1 of 2 attestors verified, 2 needed: " + notOurs},
		"several keys in one entry count each":     {all(entry(a, b)), []signer{a}, "fail: 1 of 2 attestors verified, 2 needed: no signature is from attestors[0].entries[0].keys, key 2"},
		"one of several":                           {some(1, entry(a), entry(b)), []signer{b}, "pass"},
		"sets are all needed":                      {&kyvernov1.Manifests{Attestors: append(all(entry(b)).Attestors, all(entry(a)).Attestors...)}, []signer{b}, "fail: no signature is from attestors[1].entries[0].keys"},
		"a set in a set":                           {all(entry(a), nested(some(1, entry(b), entry(r)))), []signer{a, r}, "pass"},
		"a set in a set that is not content":       {all(nested(all(entry(b)))), []signer{a}, "fail: no signature is from attestors[0].entries[0].attestor.entries[0].keys"},
		"keyless alone":                            {all(keyless), []signer{a}, "error: attestors[0].entries[0]: keyless attestors are not built yet"},
		"keyless that is not needed":               {some(1, keyless, entry(a)), []signer{a}, "pass"},
		"keyless that would make the difference":   {some(1, keyless, entry(a)), []signer{b}, "error: attestors[0].entries[0]: keyless attestors are not built yet"},
		"keyless that would make none":             {all(keyless, entry(a)), []signer{b}, "fail: 0 of 2 attestors verified, 2 needed: no signature is from attestors[0].entries[1].keys"},
		"an annotation that the object has not":    {all(annotated), []signer{a}, "fail: attestors[0].entries[0].keys asks for the annotation team: red"},
		"a key in a Secret is not asked for":       {all(kyvernov1.Attestor{Keys: &kyvernov1.StaticKeyAttestor{PublicKeys: "k8s://a/b"}}), []signer{a}, "error: attestors[0].entries[0].keys: keys in Secrets are not built yet"},
		"a key of a key service is not asked for":  {all(kyvernov1.Attestor{Keys: &kyvernov1.StaticKeyAttestor{KMS: "awskms://x"}}), []signer{a}, "error: attestors[0].entries[0].keys: keys in a key management service are not built yet"},
		"certificates are not looked at":           {all(kyvernov1.Attestor{Certificates: &kyvernov1.CertificateAttestor{Certificate: "x"}}), []signer{a}, "error: attestors[0].entries[0]: attestors with certificates are not built yet"},
		"signatures in a registry are not fetched": {all(kyvernov1.Attestor{Keys: entry(a).Keys, Repository: "ghcr.io/x"}), []signer{a}, "error: attestors[0].entries[0]: signatures in a registry are not built yet"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := verdict(t, tc.spec, signed(t, deployment, message, tc.by...)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestComparison(t *testing.T) {
	a := ecdsaSigner(t)
	const differs = "fail: the object is not as it was signed: "
	tests := map[string]struct{ object, want string }{
		"as it was signed":              {deployment, "pass"},
		"in a namespace":                {strings.Replace(deployment, "name: web", "name: web, namespace: shop", 1), "pass"},
		"what the API server adds":      {strings.Replace(deployment, "image: nginx", "image: nginx, imagePullPolicy: Always, resources: {}", 1), "pass"},
		"the status":                    {strings.Replace(deployment, "spec:", "status: {a: {b: c}}, spec:", 1), "pass"},
		"the image, as runtimes say it": {strings.Replace(deployment, "nginx", "nginx:latest", 1), "pass"},
		"another image":                 {strings.Replace(deployment, "nginx", "evil", 1), differs + "spec.template.spec.containers.0.image"},
		"one container more":            {strings.Replace(deployment, "]", ", {name: b}]", 1), differs + "spec.template.spec.containers.1.name"},
		"a value of another kind":       {strings.Replace(deployment, "replicas: 1", "replicas: '1'", 1), differs + "spec.replicas"},
		"a field less":                  {strings.Replace(deployment, "replicas: 1, ", "", 1), differs + "spec.replicas"},
		"another name":                  {strings.Replace(deployment, "name: web", "name: db", 1), differs + "metadata.name"},
		"a label":                       {strings.Replace(deployment, "name: web", "name: web, labels: {status: x}", 1), differs + "metadata.labels.status"},
		"many fields":                   {strings.Replace(deployment, "replicas: 1", "a: 1, b: 1, c: 1, d: 1, e: 1, replicas: 1, f: 1", 1), differs + "spec.a, spec.b, spec.c, spec.d, spec.e and 1 more"},
		"another kind":                  {strings.Replace(deployment, "kind: Deployment", "kind: DaemonSet", 1), "fail: what is signed holds no DaemonSet"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := verdict(t, all(entry(a)), signed(t, tc.object, []byte(deployment), a)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestFieldsThatMayDiffer(t *testing.T) {
	a := ecdsaSigner(t)
	scaled := strings.Replace(deployment, "replicas: 1", "replicas: 5", 1)
	tests := map[string]struct{ binding, want string }{
		"of the kind":         {"{objects: [{kind: Deployment}], fields: [spec.replicas]}", "pass"},
		"of any object":       {"{fields: [spec.replicas]}", "pass"},
		"of several kinds":    {"{objects: [{kind: 'Pod, Deployment', group: 'app*', version: v1, namespace: '-'}], fields: ['spec.*']}", "pass"},
		"of another kind":     {"{objects: [{kind: Pod}], fields: [spec.replicas]}", "fail: the object is not as it was signed: spec.replicas"},
		"of another name":     {"{objects: [{kind: Deployment, name: db}], fields: [spec.replicas]}", "fail: the object is not as it was signed: spec.replicas"},
		"a field named alike": {"{fields: [spec.replica]}", "fail: the object is not as it was signed: spec.replicas"},
		"a field below":       {"{fields: [spec]}", "pass"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			spec := all(entry(a))
			var binding kyvernov1.ObjectFieldBinding
			if err := yaml.Unmarshal([]byte(tc.binding), &binding); err != nil {
				t.Fatal(err)
			}
			spec.IgnoreFields = kyvernov1.IgnoreFieldList{binding}
			if got := verdict(t, spec, signed(t, scaled, []byte(deployment), a)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	a := ecdsaSigner(t)
	long := bytes.Repeat([]byte(" "), 3<<20)
	tests := map[string]struct {
		message []byte
		want    string
	}{
		"an archive":                   {archive(t, "dir/web.yaml", deployment), "pass"},
		"an archive without manifests": {archive(t, "readme.md", deployment), "fail: what is signed holds no Deployment"},
		"several manifests":            {[]byte("a: b\n---\n" + deployment + "\n---\n" + strings.Replace(deployment, "web", "db", 1)), "pass"},
		"no YAML":                      {[]byte("{"), "fail: the signed manifest cannot be read: reading the manifest: error converting YAML to JSON: yaml: line 1: did not find expected node content"},
		"a broken archive":             {compress(t, []byte("abc")), "fail: the signed manifest cannot be read: reading the archive: unexpected EOF"},
		"more than an object holds":    {long, "fail: the object is not signed: it has an annotation cosign.sigstore.dev/message that cannot be read: is longer than 2097152 bytes"},
		"an archive that is blown up":  {archive(t, "web.yaml", string(long)), "fail: the signed manifest cannot be read: reading the archive: unexpected EOF"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := verdict(t, all(entry(a)), signed(t, deployment, tc.message, a)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestAnnotations(t *testing.T) {
	a := ecdsaSigner(t)
	const domain = "cosign.sigstore.dev"
	tests := map[string]struct {
		change func(annotations map[string]any)
		want   string
	}{
		"no message":             {func(m map[string]any) { delete(m, domain+"/message") }, "it has no annotation cosign.sigstore.dev/message"},
		"a message elsewhere":    {func(m map[string]any) { delete(m, domain+"/message"); m[domain+"/resourceBundleRef"] = "evil.io/x" }, "it has no annotation cosign.sigstore.dev/message: manifests in a registry are not looked for"},
		"a message in no base64": {func(m map[string]any) { m[domain+"/message"] = "%" }, "it has an annotation cosign.sigstore.dev/message that is no base64"},
		"a message that is text": {func(m map[string]any) { m[domain+"/message"] = "aGVsbG8=" }, "it has an annotation cosign.sigstore.dev/message that cannot be read: unexpected EOF"},
		"a signature in none":    {func(m map[string]any) { m[domain+"/signature_1"] = "%" }, "it has an annotation cosign.sigstore.dev/signature_1 that is no base64"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			object := signed(t, deployment, []byte(deployment), a)
			tc.change(object["metadata"].(map[string]any)["annotations"].(map[string]any))
			want := "fail: the object is not signed: " + tc.want
			if got := verdict(t, all(entry(a)), object); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	t.Run("of another domain", func(t *testing.T) {
		object := signed(t, deployment, []byte(deployment), a)
		annotations := object["metadata"].(map[string]any)["annotations"].(map[string]any)
		for key, value := range annotations {
			delete(annotations, key)
			annotations[strings.Replace(key, domain, "x.io", 1)] = value
		}
		spec := all(entry(a))
		spec.AnnotationDomain = "x.io"
		if got := verdict(t, spec, object); got != "pass" {
			t.Errorf("got %s", got)
		}
	})
}

func TestADryRunIsNotMadeUp(t *testing.T) {
	a := ecdsaSigner(t)
	spec := all(entry(a))
	spec.DryRunOption.Enable = true
	if got := verdict(t, spec, signed(t, deployment, []byte(deployment), a)); got != "pass" {
		t.Errorf("an object as it was signed: got %s", got)
	}
	const want = "error: the object differs from what is signed, and comparing them by a dry run is not built yet"
	if got := verdict(t, spec, signed(t, strings.Replace(deployment, "replicas: 1", "replicas: 2", 1), []byte(deployment), a)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEvaluationLeavesTheObjectAlone(t *testing.T) {
	a := ecdsaSigner(t)
	object := signed(t, deployment, []byte(deployment), a)
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	verdict(t, all(entry(a)), object)
	if want := decode(t, string(raw)); !reflect.DeepEqual(object, want) {
		t.Errorf("the object became %v", object)
	}
}

func TestCompileErrors(t *testing.T) {
	sha512 := entry(ecdsaSigner(t))
	sha512.SignatureAlgorithm = "sha512"
	key := func(text string) *kyvernov1.Manifests {
		return all(kyvernov1.Attestor{Keys: &kyvernov1.StaticKeyAttestor{PublicKeys: text}})
	}
	tests := map[string]struct {
		spec *kyvernov1.Manifests
		want string
	}{
		"no attestors":      {&kyvernov1.Manifests{}, "attestors: is empty: nothing would be verified"},
		"no entries":        {all(), "attestors[0].entries: is empty: nothing would be verified"},
		"an empty entry":    {all(kyvernov1.Attestor{}), "attestors[0].entries[0]: is empty: expected keys, or a nested attestor"},
		"too high a count":  {some(2, entry(ecdsaSigner(t))), "attestors[0].count: is 2 of 1 entries"},
		"no key":            {key("hello"), "attestors[0].entries[0].keys.publicKeys: holds no public key in PEM"},
		"a private key":     {key("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"), `attestors[0].entries[0].keys.publicKeys: holds a "EC PRIVATE KEY": expected a PUBLIC KEY`},
		"another algorithm": {all(sha512), "attestors[0].entries[0].signatureAlgorithm: signatures with sha512 are not built yet"},
		"a registry":        {&kyvernov1.Manifests{Repository: "x"}, "repository: signatures in a registry are not built yet"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := manifests.Compile(tc.spec)
			var problem *manifests.CompileError
			if !errors.As(err, &problem) {
				t.Fatalf("got %v", err)
			}
			if want := "compiling manifests at " + tc.want; err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// Whatever stands in the annotations, an object that nobody signed does not pass.
func FuzzUnsignedObjects(f *testing.F) {
	a := ecdsaSigner(f)
	c, err := manifests.Compile(all(entry(a)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(compress(f, []byte(deployment)), []byte("x"))
	f.Add(compress(f, archive(f, "a.yaml", deployment)), a.sign([]byte("something else")))
	f.Fuzz(func(t *testing.T, message, signature []byte) {
		object := decode(t, deployment)
		object["metadata"].(map[string]any)["annotations"] = map[string]any{
			"cosign.sigstore.dev/message":   base64.StdEncoding.EncodeToString(message),
			"cosign.sigstore.dev/signature": base64.StdEncoding.EncodeToString(signature),
		}
		if res := c.Evaluate(object); res.Outcome != manifests.Fail {
			t.Errorf("got %v, %v", res.Outcome, res.Err)
		}
	})
}
