// Package controlplane runs a real Kubernetes control plane on this machine, for tests and for the demo.
//
// In flows the list of wanted components; out flow a kubeconfig, REST configs for any user, and the components' logs.
// The programs are built once, by the Go toolchain, from the modules that e2e/go.mod pins, and kept in a cache outside the
// tree: nothing but Go has to be installed. Each control plane has its own CA, ports and directory, so that several can
// run side by side.
//
// It never fakes a component, never listens on anything but 127.0.0.1, never turns authentication or RBAC off, and leaves
// no process behind: on Linux the kernel kills the children when the process that started them ends, however it ends.
// On other Unix systems they end with Stop only.
package controlplane
