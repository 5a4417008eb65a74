package app

import (
	"slices"
	"strconv"
	"strings"
	"unique"

	"github.com/holdfast-io/holdfast/ledger"
)

// openFindings are the findings of one object that the ledger has open. There is one of these for each object of the cluster
// that fails anything, so that what many of them have alike is kept once, and its UID is not kept here.
type openFindings struct {
	in   unique.Handle[place]
	name string
	keys openKeys
}

// place is what an object has in common with others.
type place struct{ apiVersion, kind, namespace string }

func newOpenFindings(o ledger.Object, keys openKeys) openFindings {
	return openFindings{unique.Make(place{o.APIVersion, o.Kind, o.Namespace}), o.Name, keys}
}

// object is the one with the UID that they are of.
func (f *openFindings) object(uid string) ledger.Object {
	in := f.in.Value()
	return ledger.Object{APIVersion: in.apiVersion, Kind: in.kind, Namespace: in.namespace, Name: f.name, UID: uid}
}

// openKeys is a set of rules. Most objects of a kind fail the same ones, so that these are kept once, as a text: of each name its
// length, a colon, and itself. The zero value has none.
type openKeys struct{ text unique.Handle[string] }

// keysOf makes a set of the list, which it sorts.
func keysOf(list []findingKey) openKeys {
	slices.SortFunc(list, compareKeys)
	var text strings.Builder
	for _, key := range slices.Compact(list) {
		for _, name := range []string{key.policyKind, key.policy, key.rule} {
			text.WriteString(strconv.Itoa(len(name)) + ":" + name)
		}
	}
	return openKeys{unique.Make(text.String())}
}

// sorted gives them in order.
func (k openKeys) sorted() []findingKey {
	if k == (openKeys{}) {
		return nil
	}
	rest := k.text.Value()
	name := func() string {
		length, from, _ := strings.Cut(rest, ":")
		n, _ := strconv.Atoi(length) // keysOf wrote it
		rest = from[n:]
		return from[:n]
	}
	var out []findingKey
	for rest != "" {
		out = append(out, findingKey{policyKind: name(), policy: name(), rule: name()})
	}
	return out
}
