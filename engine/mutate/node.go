package mutate

import (
	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// node is a compiled part of a strategic merge patch.
type node struct {
	form   form
	plain  any // plainForm: a value without anchors, variables or directives, shared with results
	slot   int // slotForm: the variable whose value stands here
	object *objectNode
	list   *listNode
}

type form uint8

const (
	plainForm form = iota
	slotForm
	objectForm
	listForm
)

// objectNode is an object of a patch with something in it that depends on the object or the env.
type objectNode struct {
	directive  directive
	anchored   bool // holds an anchor at some depth: if nothing else remains of it, it is left out
	global     bool // holds a global condition at some depth
	globals    []condition
	conditions []condition
	plain      map[string]any // the fields that depend on nothing, shared with results
	absent     []field        // +(key)
	fields     []field        // all others
}

type field struct {
	key   string
	slot  int // the variable that gives the key, or noSlot
	value node
}

const noSlot = -1

// listNode is a list of a patch, of which the same holds.
type listNode struct {
	directive directive
	anchored  bool
	global    bool
	elements  []element
}

// element is one element of a list. An anchored one patches the elements of the object that it selects.
type element struct {
	node     node
	anchored bool
	name     *nameSelector // the plain field name of an anchored element
}

// nameSelector is what name: says in an element with anchors: it selects, and is no value to be set.
type nameSelector struct {
	value node
	glob  glob.Glob // when value is plain
}

// condition is a (key) or <(key) of a patch.
type condition struct {
	key      string
	slot     int  // the variable that gives the key, or noSlot
	presence bool // (key): {+(other): ...} asks for no more than that the key is there
	isScalar bool
	scalar   pattern.Scalar
	pattern  *pattern.Pattern

	missing, mismatch *stop // what to answer, made beforehand
}

// directive is a $patch of a strategic merge patch.
type directive uint8

const (
	mergeDirective directive = iota
	replaceDirective
	deleteDirective
)

// variable is a part of a patch that is rendered before the patch is applied.
type variable struct {
	path     []any
	template *expr.Template
	asText   bool // a key
}

func (n *node) anchored() bool {
	return n.form == objectForm && n.object.anchored || n.form == listForm && n.list.anchored
}

func (n *node) global() bool {
	return n.form == objectForm && n.object.global || n.form == listForm && n.list.global
}
