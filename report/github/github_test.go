package github

import (
	"bytes"
	"testing"
)

func TestNothingBreaksOutOfAnAnnotation(t *testing.T) {
	for name, tc := range map[string]struct {
		in   Annotation
		want string
	}{
		"a place":               {Annotation{Error, "a/b.yaml", 7, 3, "p/r", "no"}, "::error file=a/b.yaml,line=7,col=3,title=p/r::no"},
		"no column":             {Annotation{Warning, "a.yaml", 7, 0, "", "no"}, "::warning file=a.yaml,line=7::no"},
		"no line":               {Annotation{Notice, "a.yaml", 0, 3, "", "no"}, "::notice file=a.yaml::no"},
		"no place":              {Annotation{Error, "", 7, 3, "", "no"}, "::error::no"},
		"several lines":         {Annotation{Error, "", 0, 0, "", "a\r\nb 100%"}, "::error::a\uFFFD%0Ab 100%25"},
		"a command in a title":  {Annotation{Error, "a:b,c.yaml", 1, 1, "x::stop-commands::y\n::debug::z", "no"}, "::error file=a%3Ab%2Cc.yaml,line=1,col=1,title=x%3A%3Astop-commands%3A%3Ay%0A%3A%3Adebug%3A%3Az::no"},
		"a command in a text":   {Annotation{Error, "", 0, 0, "", "x\n::debug::z"}, "::error::x%0A::debug::z"},
		"what turns text round": {Annotation{Error, "", 0, 0, "", "a\u202eb\x1b[31m"}, "::error::a\uFFFDb\uFFFD[31m"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, []Annotation{tc.in}, "all told"); err != nil {
				t.Fatal(err)
			}
			if got, want := b.String(), tc.want+"\nall told\n"; got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}
