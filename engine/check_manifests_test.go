package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"
)

func TestManifests(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: raw})))
	if err != nil {
		t.Fatal(err)
	}
	policy := func(entry string) *Snapshot {
		return snapshot(t, clusterPolicy("p", "{rules: [{name: r, "+onPods+"validate: {message: Sign it., manifests: {attestors: [{entries: ["+entry+"]}]}}}]}"))
	}
	withKey := policy("{keys: {publicKeys: " + string(public) + "}}")
	const unsigned = "r fail: Sign it. Failed because the object is not signed: it has no annotation cosign.sigstore.dev/message"
	for name, c := range map[string]struct {
		snapshot *Snapshot
		object   string
		change   func(*Request)
		want     string
	}{
		"an object that nobody signed":   {withKey, "{apiVersion: v1, kind: Pod, metadata: {name: a}}", nil, unsigned},
		"at rest as well":                {withKey, "{apiVersion: v1, kind: Pod, metadata: {name: a}}", withoutUser, unsigned},
		"a dry run":                      {withKey, "{apiVersion: v1, kind: Pod, metadata: {name: a}}", func(r *Request) { r.DryRun = true }, "r pass: a dry run is not judged: nothing is stored"},
		"what needs to ask others":       {policy("{keyless: {issuer: x}}"), "{apiVersion: v1, kind: Pod, metadata: {name: a}}", nil, "r error: could not be evaluated: attestors[0].entries[0]: keyless attestors are not built yet"},
		"a controller, which is its own": {withKey, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}", nil, ""},
		"an object that is being deleted": {withKey, "{apiVersion: v1, kind: Pod, metadata: {name: a}}", func(r *Request) {
			r.Operation, r.Object, r.OldObject = Delete, nil, r.Object
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := asking(t, c.object)
			if c.change != nil {
				c.change(req)
			}
			same(t, "decisions", lines(c.snapshot.Validate(t.Context(), req, world{}.inputs())), c.want)
		})
	}
}

func TestManifestsErrorsHaveTheirPlace(t *testing.T) {
	refused(t, "{rules: [{name: r"+rest+"validate: {manifests: {attestors: [{entries: [{keys: {publicKeys: x}}]}]}}}]}",
		"spec.rules[0].validate.manifests.attestors[0].entries[0].keys.publicKeys: holds no public key in PEM")
}
