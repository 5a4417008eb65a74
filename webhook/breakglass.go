package webhook

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// BreakGlass names who is let pass unexamined, so that somebody can mend a cluster whatever its policies say.
// Names are whole and literal: none has a wildcard. Empty: nobody.
type BreakGlass struct {
	// Users are usernames as the API server knows them, such as ana@example.com or
	// system:serviceaccount:kube-system:rescue.
	Users []string
	// Groups are the API server's groups.
	Groups []string
}

// Empty reports whether nobody is excused.
func (b BreakGlass) Empty() bool { return len(b.Users)+len(b.Groups) == 0 }

// Excuses reports whether a write of this user is let pass unexamined. The userInfo is the one that the API server
// authenticated: a user who impersonates another is the other.
func (b BreakGlass) Excuses(user *authenticationv1.UserInfo) bool {
	return slices.Contains(b.Users, user.Username) ||
		len(b.Groups) > 0 && slices.ContainsFunc(user.Groups, func(g string) bool { return slices.Contains(b.Groups, g) })
}

// others is an expression of a match condition that holds for everybody who is not excused.
func (b BreakGlass) others() string {
	var excused []string
	if len(b.Users) > 0 {
		excused = append(excused, "request.userInfo.username in "+list(b.Users))
	}
	if len(b.Groups) > 0 {
		excused = append(excused, inGroups(b.Groups))
	}
	return "!(" + strings.Join(excused, " || ") + ")"
}

// Validate names what would excuse nobody or everybody.
func (b BreakGlass) Validate() error {
	for _, part := range []struct {
		name     string
		values   []string
		everyone []string
	}{
		{"user", b.Users, []string{"system:anonymous"}},
		{"group", b.Groups, []string{"system:authenticated", "system:unauthenticated"}},
	} {
		for _, v := range part.values {
			switch {
			case v == "":
				return fmt.Errorf("break glass: a %s without a name", part.name)
			case !utf8.ValidString(v):
				return fmt.Errorf("break glass: the %s %q is no text in UTF-8", part.name, v)
			case slices.Contains(part.everyone, v):
				return fmt.Errorf("break glass: the %s %s stands for everybody: no policy would hold", part.name, v)
			}
		}
	}
	return nil
}
