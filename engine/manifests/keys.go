package manifests

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// key verifies signatures of messages.
type key interface {
	verifies(message, signature []byte) bool
}

// parseKeys reads public keys in PEM, one after another.
func parseKeys(text string) ([]key, error) {
	var out []key
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("holds a %q: expected a PUBLIC KEY", block.Type)
		}
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading public key %d: %w", len(out)+1, err)
		}
		k, err := newKey(public)
		if err != nil {
			return nil, fmt.Errorf("reading public key %d: %w", len(out)+1, err)
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, errors.New("holds no public key in PEM")
	}
	return out, nil
}

func newKey(public any) (key, error) {
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsaKey{p}, nil
	case *rsa.PublicKey:
		return rsaKey{p}, nil
	case ed25519.PublicKey:
		return ed25519Key{p}, nil
	default:
		return nil, fmt.Errorf("keys of type %T are not built yet", public)
	}
}

type ecdsaKey struct{ *ecdsa.PublicKey }

func (k ecdsaKey) verifies(message, signature []byte) bool {
	sum := sha256.Sum256(message)
	return ecdsa.VerifyASN1(k.PublicKey, sum[:], signature)
}

type rsaKey struct{ *rsa.PublicKey }

func (k rsaKey) verifies(message, signature []byte) bool {
	sum := sha256.Sum256(message)
	return rsa.VerifyPKCS1v15(k.PublicKey, crypto.SHA256, sum[:], signature) == nil
}

type ed25519Key struct{ ed25519.PublicKey }

func (k ed25519Key) verifies(message, signature []byte) bool {
	return ed25519.Verify(k.PublicKey, message, signature)
}
