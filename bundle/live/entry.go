package live

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// key names an object among those of all kinds.
type key struct{ kind, namespace, name string }

// String is how the bundle names a policy: ClusterPolicy/require-labels, Policy/team-a/require-labels.
func (k key) String() string {
	if k.namespace == "" {
		return k.kind + "/" + k.name
	}
	return k.kind + "/" + k.namespace + "/" + k.name
}

// State says what became of a policy of the cluster.
type State string

// The states of a policy.
const (
	// InForce: its present version is evaluated.
	InForce State = "in_force"
	// Outdated: its present version does not compile; the one before is evaluated.
	Outdated State = "outdated"
	// Broken: it does not compile, and nothing of it is evaluated.
	Broken State = "broken"
	// Hidden: a policy of the bundle's files has its name and goes before it.
	Hidden State = "hidden"
	// Uncounted: it is an exception of a namespace whose exceptions do not count.
	Uncounted State = "uncounted"
)

// entry is what is known of one policy of the cluster. It is immutable: a change makes a new one.
type entry struct {
	uid        types.UID
	version    string // the resourceVersion that was looked at last
	generation int64
	content    [sha256.Size]byte
	// problems say why the present version does not compile.
	problems []engine.Problem
	// good is the last version that compiled, nil when there was none; goodGeneration is its generation.
	good           *bundle.Object
	goodGeneration int64
	// kept is Hidden or Uncounted for one that is not in force however good it is, else empty.
	kept State
}

// counts reports whether a version of it is in force.
func (e *entry) counts() bool { return e.good != nil && e.kept == "" }

func (e *entry) state() State {
	switch {
	case e.kept != "":
		return e.kept
	case len(e.problems) == 0:
		return InForce
	case e.good != nil:
		return Outdated
	default:
		return Broken
	}
}

// message tells why a policy is not in force as it stands, or what its author should know although it is.
func (e *entry) message(k key) string {
	switch e.state() {
	case Hidden:
		return hidden(k)
	case Uncounted:
		return uncounted(k)
	case Outdated:
		return fmt.Sprintf("%s The version before it, of generation %d, stays in force.", sentence(list(e.problems)), e.goodGeneration)
	case Broken:
		return sentence(list(e.problems)) + " Nothing of it is in force."
	default:
		return list(e.good.Warnings)
	}
}

func hidden(k key) string {
	return "is not in force: the bundle that Holdfast was started with has a " + k.kind + " of this name, and one of the cluster cannot take its place"
}

func uncounted(k key) string {
	return "is not in force: PolicyExceptions of the namespace " + k.namespace + " do not count (--exception-namespaces)"
}

// maxMessage is how much of a policy's problems a message tells: a status is read by people.
const maxMessage = 2048

// list joins problems to one line.
func list(problems []engine.Problem) string {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	text := strings.Join(texts, "; ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

// sentence ends a text as sentences end.
func sentence(text string) string {
	if strings.HasSuffix(text, "?") || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// contentOf names what a policy is compiled from: not its status, nor what the server counts.
func contentOf(u *unstructured.Unstructured) [sha256.Size]byte {
	raw, err := json.Marshal([]any{u.GetAPIVersion(), u.GetLabels(), u.GetAnnotations(), u.Object["spec"]})
	if err != nil {
		// What came as JSON goes back to it. Were it not so, each version would be compiled anew.
		raw = []byte(u.GetResourceVersion())
	}
	return sha256.Sum256(raw)
}

// next gives the entry of an object, from the one of its last version, nil for none.
func next(compiler *engine.Compiler, before *entry, u *unstructured.Unstructured) *entry {
	e := &entry{uid: u.GetUID(), version: u.GetResourceVersion(), generation: u.GetGeneration(), content: contentOf(u)}
	if before != nil && before.uid == e.uid {
		e.good, e.goodGeneration = before.good, before.goodGeneration
		if before.content == e.content {
			e.problems = before.problems
			if len(e.problems) == 0 {
				e.goodGeneration = e.generation
			}
			return e
		}
	}
	good, problems := compile(compiler, u)
	if e.problems = problems; len(problems) == 0 {
		e.good, e.goodGeneration = good, e.generation
	}
	return e
}

// compile compiles an object. A panic becomes a problem of that one policy: it must not take down every
// replica, again and again, for as long as the policy is there.
func compile(compiler *engine.Compiler, u *unstructured.Unstructured) (good *bundle.Object, problems []engine.Problem) {
	defer func() {
		if p := recover(); p != nil {
			good, problems = nil, []engine.Problem{{Message: fmt.Sprintf("the compiler ended unexpectedly: %v", p)}}
		}
	}()
	return bundle.CompileObject(compiler, u.DeepCopy().Object)
}
