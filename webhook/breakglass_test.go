package webhook

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
)

func TestBreakGlassExcuses(t *testing.T) {
	glass := BreakGlass{Users: []string{"ana", "system:serviceaccount:kube-system:rescue"}, Groups: []string{"oncall"}}
	for name, c := range map[string]struct {
		glass BreakGlass
		user  authenticationv1.UserInfo
		want  bool
	}{
		"a user who is named":                {glass, authenticationv1.UserInfo{Username: "ana"}, true},
		"a service account that is named":    {glass, authenticationv1.UserInfo{Username: "system:serviceaccount:kube-system:rescue"}, true},
		"a member of a group":                {glass, authenticationv1.UserInfo{Username: "bo", Groups: []string{"dev", "oncall"}}, true},
		"somebody else":                      {glass, authenticationv1.UserInfo{Username: "bo", Groups: []string{"dev"}}, false},
		"a user named as a group is":         {glass, authenticationv1.UserInfo{Username: "oncall"}, false},
		"a group named as a user is":         {glass, authenticationv1.UserInfo{Username: "bo", Groups: []string{"ana"}}, false},
		"names are whole":                    {glass, authenticationv1.UserInfo{Username: "anabel", Groups: []string{"oncall-guests"}}, false},
		"an asterisk is no wildcard":         {BreakGlass{Users: []string{"a*"}}, authenticationv1.UserInfo{Username: "ana"}, false},
		"nobody is excused by nothing":       {BreakGlass{}, authenticationv1.UserInfo{}, false},
		"a request without a user, of names": {glass, authenticationv1.UserInfo{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.glass.Excuses(&c.user); got != c.want {
				t.Errorf("Excuses(%+v) = %v, want %v", c.user, got, c.want)
			}
		})
	}
}

func TestBreakGlassValidate(t *testing.T) {
	for name, c := range map[string]struct {
		glass BreakGlass
		want  string
	}{
		"nobody":                    {BreakGlass{}, ""},
		"users and groups":          {BreakGlass{Users: []string{"ana"}, Groups: []string{"oncall"}}, ""},
		"a user without a name":     {BreakGlass{Users: []string{""}}, "break glass: a user without a name"},
		"a group without a name":    {BreakGlass{Groups: []string{"a", ""}}, "break glass: a group without a name"},
		"everybody":                 {BreakGlass{Groups: []string{"system:authenticated"}}, "break glass: the group system:authenticated stands for everybody: no policy would hold"},
		"who did not authenticate":  {BreakGlass{Groups: []string{"system:unauthenticated"}}, "break glass: the group system:unauthenticated stands for everybody: no policy would hold"},
		"the user of all the world": {BreakGlass{Users: []string{"system:anonymous"}}, "break glass: the user system:anonymous stands for everybody: no policy would hold"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := c.glass.Validate(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
