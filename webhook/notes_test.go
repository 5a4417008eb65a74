package webhook

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/holdfast-io/holdfast/engine"
)

func decisions(n int, status engine.Status, action engine.Action, message string) []engine.Decision {
	out := make([]engine.Decision, n)
	for i := range out {
		p := &engine.Policy{Name: fmt.Sprintf("p%03d", i), FailurePolicy: engine.FailOnError}
		out[i] = engine.Decision{Policy: p, Rule: &engine.Rule{Policy: p, Name: "r"}, Status: status, Action: action, Message: message}
	}
	return out
}

func TestWarningsStayWithinWhatAnAPIServerShows(t *testing.T) {
	f := sortOut(&engine.Request{}, decisions(40, engine.Fail, engine.Audit, strings.Repeat("ä", 500)+"\nend"))
	warnings := f.notes().Warnings
	total := 0
	for _, w := range warnings {
		n := utf8.RuneCountInString(w)
		if n > 256 || strings.ContainsAny(w, "\r\n") || !utf8.ValidString(w) {
			t.Errorf("a warning of %d characters: %s", n, w)
		}
		total += n
	}
	if total > 4096 {
		t.Errorf("%d characters together", total)
	}
	if len(warnings) != 16 || warnings[15] != "and 25 more findings" {
		t.Errorf("%d warnings, the last is %q", len(warnings), warnings[len(warnings)-1])
	}
	if !strings.HasSuffix(warnings[0], "ä…") || !strings.HasPrefix(warnings[0], "policy p000, rule r: ä") {
		t.Errorf("the first is %q", warnings[0])
	}
}

func TestSixteenWarningsAreNotShortened(t *testing.T) {
	f := sortOut(&engine.Request{}, decisions(15, engine.Warn, engine.Audit, "m"))
	if got := f.notes().Warnings; len(got) != 15 || got[14] != "policy p014, rule r: m" {
		t.Errorf("got %q", got)
	}
}

func TestAWarningIsOneLineOfValidText(t *testing.T) {
	if got := warning("a\tb\r\nc\x00\xffd\u0085"); got != "a b  c \uFFFDd " {
		t.Errorf("got %q", got)
	}
}

func TestADenialOfManyRulesIsCut(t *testing.T) {
	f := sortOut(&engine.Request{}, decisions(25, engine.Fail, engine.Enforce, strings.Repeat("x", 2000)))
	resp := f.refusal("u", "Pod a/b")
	lines := strings.Split(resp.Result.Message, "\n")
	if len(lines) != 22 || lines[0] != "25 rules refuse Pod a/b:" || lines[21] != "- and 5 more" {
		t.Errorf("%d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if n := utf8.RuneCountInString(lines[1]); n != 1024+len("- ") {
		t.Errorf("a line of %d characters", n)
	}
	if len(resp.Result.Details.Causes) != 20 || len(resp.AuditAnnotations) != 20+len([]string{reviewKey}) {
		t.Errorf("%d causes, %d annotations", len(resp.Result.Details.Causes), len(resp.AuditAnnotations))
	}
}

func TestAnnotationKeys(t *testing.T) {
	long := strings.Repeat("p", 250)
	seen := map[string]string{}
	for name, c := range map[string]struct{ kind, policy, rule, want string }{
		"plain":                     {"ClusterPolicy", "require-team", "check", "require-team.check"},
		"a policy in CEL":           {"ValidatingPolicy", "p", "", "ValidatingPolicy.p"},
		"another kind of its name":  {"MutatingPolicy", "p", "", "MutatingPolicy.p"},
		"of a namespace":            {"Policy", "ns/require-team", "check", "ns.require-team.check"},
		"a rule with a space":       {"", "p", "check the team", "p.check_the_team-adf66ad5"},
		"a rule with an underscore": {"", "p", "check_the_team", "p.check_the_team"},
		"a rule in another script":  {"", "p", "тест", ""},
		"too long":                  {"", long, "check", ""},
		"too long, another rule":    {"", long, "check2", ""},
		"an end that is no letter":  {"", "p", "check-", ""},
		"nothing that is a letter":  {"", "", "-", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := annotationKey(engine.RuleID(c.kind, c.policy, c.rule))
			if c.want != "" && got != c.want {
				t.Errorf("got %s, expected %s", got, c.want)
			}
			if problems := validation.IsQualifiedName("fail-10s.validate.holdfast.dev/" + got); len(problems) > 0 {
				t.Errorf("%s is no name of an annotation: %v", got, problems)
			}
			if other := seen[got]; other != "" {
				t.Errorf("%s is the key of %s too", got, other)
			}
			seen[got] = name
		})
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"äöü", 3, "äöü"}, {"äöüß", 3, "äö…"}, {"ab", 1, "…"},
	} {
		if got := cut(c.in, c.n); got != c.want {
			t.Errorf("cut(%q, %d) is %q, expected %q", c.in, c.n, got, c.want)
		}
	}
}

// The audit log is kept for long and read by many: it does not get what a message may quote of a Secret.
func TestTheAuditLogDoesNotQuoteASecret(t *testing.T) {
	secret := &engine.Request{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Secret"}}
	f := sortOut(secret, decisions(1, engine.Fail, engine.Enforce, "the password is 1234"))
	f.uid = "u"
	same(t, f.notes().Annotations, map[string]string{"p000.r": "denied", "uid": "u"})
}
