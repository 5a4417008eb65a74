package jmesfn

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
)

// certificateFunctions read certificates.
var certificateFunctions = []function{
	{Spec: Spec{
		Name: "x509_decode", Args: []Arg{arg("pem", String)}, Returns: Object,
		Doc: "Decodes the first block of a PEM text, a certificate or a certificate request with an RSA key, into an object " +
			"with the fields of Go's x509.Certificate or x509.CertificateRequest. PublicKey has N (in decimal, as a string) and E.",
	}, impl: func(c *call) (any, error) {
		object, err := decodeCertificate(c.string(0))
		if err != nil {
			return nil, c.argument(0, "%w", err)
		}
		return object, nil
	}},
}

// publicKey is how an RSA key is written: its modulus has more digits than a JSON number keeps.
type publicKey struct {
	N string
	E int
}

func decodeCertificate(text string) (map[string]any, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("is no PEM text")
	}
	if len(block.Bytes) > MaxCertificate {
		return nil, fmt.Errorf("holds a certificate of more than %d bytes: %w", MaxCertificate, ErrTooLarge)
	}
	switch block.Type {
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds no valid certificate: %w", err)
		}
		if cert.PublicKey, err = writable(cert.PublicKey); err != nil {
			return nil, err
		}
		return toObject(cert)
	case "CERTIFICATE REQUEST":
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			return nil, errors.New("holds no valid certificate request") // the library says it in terms of Go structs
		}
		if request.PublicKey, err = writable(request.PublicKey); err != nil {
			return nil, err
		}
		return toObject(request)
	default:
		return nil, errors.New("must hold a CERTIFICATE or a CERTIFICATE REQUEST")
	}
}

func writable(key any) (any, error) {
	rsaKey, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("holds a key that is not RSA, which is the only kind decoded")
	}
	return publicKey{N: rsaKey.N.String(), E: rsaKey.E}, nil
}

func toObject(v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot be written as JSON: %w", err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("cannot be read as JSON: %w", err)
	}
	return object, nil
}
