// Package policies holds the bundle that Holdfast ships: one folder per policy, with the policy and its
// tests. The policies go out as a read-only file system, as they are written; the package neither
// parses nor compiles them, and never takes any in.
package policies

import (
	"embed"
	"io/fs"
)

//go:embed */policy.yaml
var files embed.FS

// FS is the shipped bundle: NAME/policy.yaml for each policy, one YAML document each. Walking it goes
// in the order of the names. The policies' tests are not in it.
func FS() fs.FS { return files }
