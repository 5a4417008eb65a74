package manifests

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// maxMessage bounds what a compressed annotation may become, in bytes. Annotations of an object hold 256 KiB at most,
// which gzip can blow up a thousandfold; 2 MiB is above the largest object that etcd stores.
const maxMessage = 2 << 20

// signed is what an object carries in its annotations.
type signed struct {
	message    []byte   // what was signed: YAML, or a compressed archive with YAML files
	signatures [][]byte // at least one
}

// readSigned takes the annotations. The error says what is missing or wrong: the object is then not signed.
func readSigned(annotations map[string]any, domain string) (*signed, error) {
	text, ok := annotations[domain+"/message"].(string)
	if !ok {
		if _, ok := annotations[domain+"/resourceBundleRef"]; ok {
			return nil, fmt.Errorf("has no annotation %s/message: manifests in a registry are not looked for", domain)
		}
		return nil, fmt.Errorf("has no annotation %s/message", domain)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("has an annotation %s/message that is no base64", domain)
	}
	out := &signed{}
	if out.message, err = decompress(raw); err != nil {
		return nil, fmt.Errorf("has an annotation %s/message that cannot be read: %w", domain, err)
	}
	// signature, signature_1, signature_2 and so on
	for name := domain + "/signature"; ; name = fmt.Sprintf("%s/signature_%s", domain, strconv.Itoa(len(out.signatures))) {
		text, ok := annotations[name].(string)
		if !ok {
			break
		}
		signature, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("has an annotation %s that is no base64", name)
		}
		out.signatures = append(out.signatures, signature)
	}
	if len(out.signatures) == 0 {
		return nil, fmt.Errorf("has no annotation %s/signature", domain)
	}
	return out, nil
}

func decompress(raw []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return readAll(r)
}

var errTooLong = fmt.Errorf("is longer than %d bytes", maxMessage)

func readAll(r io.Reader) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err == nil && len(out) > maxMessage {
		err = errTooLong
	}
	return out, err
}

// manifests reads the objects of a message that is known to be signed.
func (s *signed) manifests() ([]map[string]any, error) {
	if r, err := gzip.NewReader(bytes.NewReader(s.message)); err == nil {
		return readArchive(r)
	}
	return readYAML(s.message)
}

func readArchive(r io.Reader) ([]map[string]any, error) {
	var out []map[string]any
	archive := tar.NewReader(io.LimitReader(r, maxMessage+1))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the archive: %w", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		switch path.Ext(header.Name) {
		case ".yaml", ".yml", ".signed":
		default:
			continue
		}
		text, err := readAll(archive)
		if err != nil {
			return nil, fmt.Errorf("reading the archive: %w", err)
		}
		objects, err := readYAML(text)
		if err != nil {
			return nil, err
		}
		out = append(out, objects...)
	}
}

func readYAML(text []byte) ([]map[string]any, error) {
	var out []map[string]any
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		if strings.TrimSpace(string(document)) == "" {
			continue
		}
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		if object != nil {
			out = append(out, object)
		}
	}
}
