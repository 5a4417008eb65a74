package chainsaw

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
)

// copyFiles copies the folder above the test's, where the policy is: scripts write beside their files.
func (r *run) copyFiles() (string, error) {
	dir, err := os.MkdirTemp("", "chainsaw")
	if err != nil {
		return "", fmt.Errorf("make a folder for scripts: %w", err)
	}
	if err := os.CopyFS(filepath.Join(dir, "test"), os.DirFS(filepath.Dir(r.test.Dir))); err != nil {
		return dir, fmt.Errorf("copy the files of scripts: %w", err)
	}
	return dir, nil
}

// clusterName is one more name of the cluster: scripts add users to it by that name.
const clusterName = "chainsaw"

// script runs a shell in the copy of the test's folder, with kubectl and nothing of the caller's.
func (r *run) script(ctx context.Context, s *Script) error {
	ctx, cancel := context.WithTimeout(ctx, within(s.Timeout, 30*time.Second))
	defer cancel()
	kubeconfig := filepath.Join(r.scripts, "kubeconfig")
	if _, err := os.Stat(kubeconfig); err != nil {
		config, err := clientcmd.LoadFromFile(r.Kubeconfig)
		if err != nil {
			return fmt.Errorf("read the kubeconfig for scripts: %w", err)
		}
		for _, only := range config.Clusters {
			config.Clusters[clusterName] = only
		}
		if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
			return fmt.Errorf("write the kubeconfig for scripts: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", s.Content)
	cmd.Dir = filepath.Join(r.scripts, "test", filepath.Base(r.test.Dir))
	cmd.Env = []string{"HOME=" + r.scripts, "PATH=" + r.Path + ":/usr/bin:/bin", "KUBECONFIG=" + kubeconfig, "NAMESPACE=" + r.namespace}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(s.Content), "\n")
		return fmt.Errorf("script %q: %w: %s", first, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// definition is the kind that defines a type.
const definition = "CustomResourceDefinition"

// standIn makes the definition that a test asserts, as open as can be, if it is one.
func (r *run) standIn(ctx context.Context, wanted *unstructured.Unstructured) (made bool, err error) {
	names, found, _ := unstructured.NestedMap(wanted.Object, "status", "acceptedNames")
	versions, _, _ := unstructured.NestedStringSlice(wanted.Object, "status", "storedVersions")
	if !r.StandIns || wanted.GetKind() != definition || !found || len(versions) == 0 {
		return false, nil
	}
	_, group, _ := strings.Cut(wanted.GetName(), ".")
	var served []any
	for i, v := range versions {
		served = append(served, map[string]any{"name": v, "served": true, "storage": i == 0, "schema": map[string]any{
			"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
		}})
	}
	custom := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": wanted.GetAPIVersion(), "kind": wanted.GetKind(), "metadata": map[string]any{"name": wanted.GetName()},
		"spec": map[string]any{"group": group, "scope": "Namespaced", "names": names, "versions": served},
	}}
	client, err := r.client(custom)
	if err != nil {
		return true, err
	}
	_, err = client.Create(ctx, custom, metav1.CreateOptions{})
	if err == nil {
		err = fmt.Errorf("a stand-in for %s was made, and is not served yet", wanted.GetName())
	}
	return true, err
}
