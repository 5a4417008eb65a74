package app

import (
	"slices"
	"unique"

	"github.com/holdfast-io/holdfast/ledger"
)

// openFindings are the findings of one object that the ledger has open. There is one of these for each object of the cluster
// that fails anything, so that what many of them have alike is kept once.
type openFindings struct {
	object ledger.Object
	keys   openKeys
}

// openKeys is a set. Objects have a handful of findings.
type openKeys []unique.Handle[findingKey]

func (k openKeys) has(key findingKey) bool { return slices.Contains(k, unique.Make(key)) }

func (k *openKeys) add(key findingKey) {
	if !k.has(key) {
		*k = append(*k, unique.Make(key))
	}
}

// sorted gives them in order.
func (k openKeys) sorted() []findingKey {
	out := make([]findingKey, len(k))
	for i := range k {
		out[i] = k[i].Value()
	}
	slices.SortFunc(out, compareKeys)
	return out
}

// shared is the object with the texts that others have as well kept once.
func shared(o ledger.Object) ledger.Object {
	for _, text := range []*string{&o.APIVersion, &o.Kind, &o.Namespace} {
		*text = unique.Make(*text).Value()
	}
	return o
}
