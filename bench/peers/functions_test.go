package peers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kyverno/kyverno/pkg/config"
	peer "github.com/kyverno/kyverno/pkg/engine/jmespath"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

// callsOfEach is how often each function is called with generated arguments, for each seed.
const callsOfEach = 3000

// searcher evaluates an expression on a document with both engines.
type searcher struct {
	theirs    peer.Interface
	functions *expr.Functions
}

func newSearcher() *searcher {
	return &searcher{peer.New(config.NewDefaultConfiguration(false)), expr.NewFunctions()}
}

func (s *searcher) compare(subject, source string, args []any, on any) *pair {
	return &pair{
		subject: subject, args: args,
		theirs: guarded(func() (any, error) { return s.theirs.Search(source, plain(on)) }),
		ours: guarded(func() (any, error) {
			query, err := expr.Compile(source)
			if err != nil {
				return nil, err
			}
			env := &expr.Env{Functions: s.functions, Now: time.Now, Rand: rand.NewChaCha8([32]byte{})}
			return query.SearchIn(env, on)
		}),
	}
}

// varying functions answer by the clock or by chance, and are compared by TestFunctionsThatVary.
var varying = []string{"random", "time_now", "time_now_utc"}

func TestFunctionsOnGeneratedArguments(t *testing.T) {
	s, b := newSearcher(), open(functionDifferences)
	for _, seed := range seeds {
		r := random(seed)
		for _, spec := range jmesfn.Specs() {
			if slices.Contains(varying, spec.Name) {
				continue
			}
			for range callsOfEach {
				source, args, on := call(r, &spec)
				if spec.Name == "time_since" && len(args) == 3 && args[2] == "" {
					continue // until now
				}
				b.enter(t, s.compare(spec.Name, source, args, on))
			}
		}
	}
	b.close(t)
}

// call writes a call of a function with generated arguments, as an expression on a document that holds them.
func call(r *rand.Rand, spec *jmesfn.Spec) (source string, args []any, on map[string]any) {
	count := spec.MinArgs
	if spec.MaxArgs == jmesfn.Unbounded {
		count += r.IntN(3)
	}
	if one(r, 40) {
		count = max(0, count+pick(r, -1, 1))
	}
	on = map[string]any{}
	var parts []string
	for i := range count {
		want := jmesfn.Any
		if len(spec.Args) > 0 {
			want = spec.Args[min(i, len(spec.Args)-1)].Type
		}
		if want == jmesfn.Expression {
			by := pick(r, "&a", "&@", "&length(@)", "&to_string(@)", "&a.b")
			parts, args = append(parts, by), append(args, by)
			continue
		}
		key := fmt.Sprintf("k%d", i)
		value := argument(r, spec.Name, want)
		on[key] = value
		parts, args = append(parts, key), append(args, value)
	}
	source = spec.Name + "(" + strings.Join(parts, ", ") + ")"
	switch spec.Name {
	case "keys", "values": // the peer answers in an order that Go's maps choose, of 1 and "1" too
		source = "sort_by(" + source + ", &join(' ', [type(@), to_string(@)]))"
	}
	return source, args, on
}

// argument draws a value, of a wanted kind most times and now and then of any.
func argument(r *rand.Rand, function string, want jmesfn.Type) any {
	from := values
	if own := ownValues[function]; len(own) > 0 && r.IntN(3) > 0 {
		from = own
	}
	ofAnyKind := one(r, 20)
	for range 60 {
		if v := pick(r, from...); ofAnyKind || kind(v)&want != 0 {
			return v
		}
		if one(r, 10) {
			from = values
		}
	}
	return pick(r, values...)
}

func kind(v any) jmesfn.Type {
	switch v.(type) {
	case nil:
		return jmesfn.Null
	case bool:
		return jmesfn.Boolean
	case float64:
		return jmesfn.Number
	case string:
		return jmesfn.String
	case []any:
		return jmesfn.Array
	default:
		return jmesfn.Object
	}
}

// notAsked are parts of cases that the peer is not asked: exponents that it takes minutes for, and a name that it
// looks up in DNS, where our functions reach no network.
var notAsked = []string{"1E-2147483648", "1e99999999999999999999", "App.LOCALHOST."}

// The cases that hold our functions, put to the peer's. Those by chance and by the clock are for
// TestFunctionsThatVary.
func TestFunctionsOnWrittenCases(t *testing.T) {
	files, err := filepath.Glob("../../engine/expr/jmesfn/testdata/functions/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases found: %v", err)
	}
	s, b := newSearcher(), open(caseDifferences)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			It    string          `json:"it"`
			Eval  string          `json:"eval"`
			In    json.RawMessage `json:"in"`
			Clock bool            `json:"clock"`
		}
		if err := yaml.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			name, _, _ := strings.Cut(c.It, " ")
			if c.Clock || name == "random" || slices.ContainsFunc(notAsked, func(part string) bool { return strings.Contains(c.Eval, part) }) {
				continue
			}
			on := any(map[string]any{})
			if len(c.In) > 0 {
				if err := json.Unmarshal(c.In, &on); err != nil {
					t.Fatal(err)
				}
			}
			source := c.Eval
			if source == "keys(@)" { // the peer answers in an order that Go's maps choose
				source = "sort(keys(@))"
			}
			b.enter(t, s.compare(name, source, []any{source, on}, on))
		}
	}
	b.close(t)
}

func TestFunctionsThatVary(t *testing.T) {
	s := newSearcher()
	for _, source := range []string{"time_now()", "time_now_utc()", "time_add(time_now_utc(), '1h')"} {
		p := s.compare(source, source, nil, map[string]any{})
		theirs, ours := moment(t, p.theirs), moment(t, p.ours)
		if apart := ours.Sub(theirs); apart < -time.Minute || apart > time.Minute {
			t.Errorf("%s: Kyverno %s, Holdfast %s", source, p.theirs, p.ours)
		}
	}
	for pattern, want := range map[string]string{
		"[a-z]{6}": "^[a-z]{6}$", "[0-9]{2}-[A-F]+": "^[0-9]{2}-[A-F]+$", "(ab|cd)?x": "^(ab|cd)?x$", "plain": "^plain$", "[^a-z]": "^[^a-z]$",
	} {
		p := s.compare("random", "random('"+pattern+"')", []any{pattern}, map[string]any{})
		for name, a := range map[string]answer{"Kyverno": p.theirs, "Holdfast": p.ours} {
			text, _ := a.value.(string)
			if a.err != nil || !regexp.MustCompile(want).MatchString(text) {
				t.Errorf("%s: random(%q) gives %s", name, pattern, a)
			}
		}
	}
	for _, pattern := range []string{"", "[", "(a", "a{2,1}"} {
		if p := s.compare("random", "random('"+pattern+"')", []any{pattern}, map[string]any{}); !p.same() || p.ours.err == nil {
			t.Errorf("random(%q): Kyverno %s, Holdfast %s", pattern, p.theirs, p.ours)
		}
	}
}

func moment(t *testing.T, a answer) time.Time {
	t.Helper()
	text, _ := a.value.(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || a.err != nil {
		t.Fatalf("%s is no time: %v", a, err)
	}
	return at
}
