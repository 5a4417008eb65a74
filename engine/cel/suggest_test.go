package cel

import (
	"strings"
	"testing"
)

// An error names what was meant: a name, a function of a library, a field.
func TestSuggestions(t *testing.T) {
	for expression, want := range map[string]string{
		"resource.Lst('v1', 'pods', 'a') != null":        "1:13: undeclared reference to 'Lst': did you mean List?",
		"resource.gett('v1', 'pods', 'a', 'b') != null":  "1:14: undeclared reference to 'gett': did you mean Get?",
		"resorce.Get('v1', 'pods', 'a', 'b') != null":    "1:1: undeclared reference to 'resorce': did you mean resource?",
		"time.noww() != null":                            "1:1: undeclared reference to 'time.noww': did you mean time.now?",
		"hash.sha512('a') != ''":                         "1:1: undeclared reference to 'hash.sha512': did you mean hash.sha1?",
		"parseImageRef('a') != null":                     "1:14: undeclared reference to 'parseImageRef'",
		"parseImageReferense('a') != null":               "1:20: undeclared reference to 'parseImageReferense': did you mean parseImageReference?",
		"exceptions.allowedImage.size() == 0":            "1:11: undefined field 'allowedImage': did you mean allowedImages?",
		"request.operaton == 'CREATE'":                   "1:8: undefined field 'operaton': did you mean operation?",
		"request.userInfo.user == 'ann'":                 "1:17: undefined field 'user'",
		"namespaceObject.metadata.lables.size() == 0":    "1:25: undefined field 'lables': did you mean labels?",
		"variables.imges == null":                        "1:10: undefined field 'imges': did you mean images?",
		"parseServiceAccount('a').name == ''":            "1:25: undefined field 'name': did you mean Name?",
		"object.x == 1 &&\n  globalContxt.Get('a') == 1": "2:3: undeclared reference to 'globalContxt': did you mean globalContext?",
		"resource.Get('v1', 'pods') != null":             "1:13: found no matching overload for 'Get' applied to 'resource.Context.(string, string)'",
		"time.now(1) == null":                            "1:9: found no matching overload for 'time.now' applied to '(int)'",
		"random(1) == ''":                                "1:7: found no matching overload for 'random' applied to '(int)'",
		"http.Get(1) == null":                            "1:9: found no matching overload for 'Get' applied to 'http.Context.(int)'",
	} {
		_, err := NewCompiler().Compile(withVariables(kyverno(expression), "images", "[1]"))
		if err == nil {
			t.Errorf("%s compiles", expression)
			continue
		}
		first, _, _ := strings.Cut(err.Error(), "; ")
		same(t, expression, first, "compiling CEL: /0/expression: CEL at "+want)
	}
	// functions of Kyverno's are none of an API server's
	_, err := NewCompiler().Compile(one("time.now() == null"))
	if err == nil || !strings.Contains(err.Error(), "undeclared reference to 'time'") {
		t.Errorf("got %v", err)
	}
}
