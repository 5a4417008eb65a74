package pattern_test

import (
	"encoding/json"
	"testing"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

func parse(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func compile(t testing.TB, text string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Compile(parse(t, text), pattern.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type matchTest struct {
	pattern, object string
	want            pattern.Outcome
	path            string
}

func runMatchTests(t *testing.T, tests map[string]matchTest) {
	t.Helper()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := compile(t, tc.pattern).Match(nil, parse(t, tc.object))
			if got.Outcome != tc.want || got.Path != tc.path {
				t.Errorf("got %v at %q (%s), want %v at %q", got.Outcome, got.Path, got.Text(), tc.want, tc.path)
			}
			if (got.Err != nil) != (got.Outcome == pattern.Error) {
				t.Errorf("outcome %v with the error %v", got.Outcome, got.Err)
			}
		})
	}
}

func TestMatchShapes(t *testing.T) {
	runMatchTests(t, map[string]matchTest{
		"an object with the keys asked for": {`{"a":{"b":"x"}}`, `{"a":{"b":"x","c":1},"d":2}`, pattern.Pass, ""},
		"no keys asked for":                 {`{"a":{}}`, `{"a":{"b":1}}`, pattern.Pass, ""},
		"no keys asked for, and no object":  {`{"a":{}}`, `{}`, pattern.Fail, "/a/"},
		"an object where text stands":       {`{"a":{"b":"x"}}`, `{"a":"x"}`, pattern.Fail, "/a/"},
		"an object where null stands":       {`{"a":{"b":"x"}}`, `{"a":null}`, pattern.Fail, "/a/"},
		"an object where a list stands":     {`{"a":{"b":"x"}}`, `{"a":[{"b":"x"}]}`, pattern.Fail, "/a/"},
		"a value that differs":              {`{"a":{"b":"x"}}`, `{"a":{"b":"y"}}`, pattern.Fail, "/a/b/"},
		"a key that is missing":             {`{"a":{"b":"x"}}`, `{"a":{}}`, pattern.Fail, "/a/b/"},
		"the first of two in order":         {`{"b":"x","a":"x"}`, `{}`, pattern.Fail, "/a/"},
		"a scalar for the whole object":     {`"x"`, `"y"`, pattern.Fail, "/"},
		"no object at all":                  {`{"a":"x"}`, `null`, pattern.Fail, "/"},

		"a star asks for any value":                   {`{"a":"*"}`, `{"a":0}`, pattern.Pass, ""},
		"a star takes an object":                      {`{"a":"*"}`, `{"a":{}}`, pattern.Pass, ""},
		"a star takes an empty list":                  {`{"a":"*"}`, `{"a":[]}`, pattern.Pass, ""},
		"a star takes no text":                        {`{"a":"*"}`, `{"a":""}`, pattern.Pass, ""},
		"a star does not take null":                   {`{"a":{"b":"*"}}`, `{"a":{"b":null}}`, pattern.Fail, "/a/"},
		"a star asks for the key, at the map's place": {`{"a":{"b":"*"}}`, `{"a":{}}`, pattern.Fail, "/a/"},
		"a star under an anchor is only text":         {`{"=(a)":"*"}`, `{"a":{}}`, pattern.Fail, "/a/"},
		"one character or more takes no object":       {`{"a":"?*"}`, `{"a":{"b":1}}`, pattern.Fail, "/a/"},

		"null asks for nothing":                     {`{"a":null}`, `{}`, pattern.Pass, ""},
		"null asks for nothing, and null":           {`{"a":null}`, `{"a":null}`, pattern.Pass, ""},
		"null asks for nothing, and false":          {`{"a":null}`, `{"a":false}`, pattern.Pass, ""},
		"null asks for nothing, and there is a map": {`{"a":null}`, `{"a":{}}`, pattern.Fail, "/a/"},

		"a scalar against a list, all match":       {`{"a":"x*"}`, `{"a":["x","xy"]}`, pattern.Pass, ""},
		"a scalar against a list, one does not":    {`{"a":"x*"}`, `{"a":["x","y"]}`, pattern.Fail, "/a/"},
		"a scalar against an empty list":           {`{"a":"x"}`, `{"a":[]}`, pattern.Pass, ""},
		"a list of one scalar, all match":          {`{"a":["x*"]}`, `{"a":["x","xy"]}`, pattern.Pass, ""},
		"a list of one scalar, one does not":       {`{"a":["x*"]}`, `{"a":["x","y"]}`, pattern.Fail, "/a/"},
		"a list of one scalar, and none there":     {`{"a":["x"]}`, `{"a":[]}`, pattern.Pass, ""},
		"a list of two scalars: the first decides": {`{"a":["x","y"]}`, `{"a":["x","x"]}`, pattern.Pass, ""},
		"a list of one number":                     {`{"a":[5]}`, `{"a":[5,"5"]}`, pattern.Pass, ""},
		"a list of one null":                       {`{"a":[null]}`, `{"a":[null,""]}`, pattern.Pass, ""},
		"a list where there is none":               {`{"a":["x"]}`, `{}`, pattern.Fail, "/a/"},
		"a list where text stands":                 {`{"a":["x"]}`, `{"a":"x"}`, pattern.Fail, "/a/"},
		"an empty list matches nothing":            {`{"a":[]}`, `{"a":[]}`, pattern.Fail, "/a/"},

		"a list of one object, all match":          {`{"a":[{"b":"x"}]}`, `{"a":[{"b":"x"},{"b":"x","c":1}]}`, pattern.Pass, ""},
		"a list of one object, one does not":       {`{"a":[{"b":"x"}]}`, `{"a":[{"b":"x"},{"b":"y"}]}`, pattern.Fail, "/a/1/b/"},
		"a list of one object, and text is there":  {`{"a":[{"b":"x"}]}`, `{"a":[{"b":"x"},"y"]}`, pattern.Fail, "/a/1/"},
		"a list of one object, and none there":     {`{"a":[{"b":"x"}]}`, `{"a":[]}`, pattern.Pass, ""},
		"a list of two objects: the first decides": {`{"a":[{"b":"x"},{"b":"y"}]}`, `{"a":[{"b":"x"},{"b":"x"}]}`, pattern.Pass, ""},
		"a list for the whole object":              {`[{"b":"x"}]`, `[{"b":"x"},{"b":"y"}]`, pattern.Fail, "/1/b/"},

		"a list of lists goes element by element":        {`{"a":[["x"],"y"]}`, `{"a":[["x","x"],"y","z"]}`, pattern.Pass, ""},
		"a list of lists, and one differs":               {`{"a":[["x"],"y"]}`, `{"a":[["x"],"z"]}`, pattern.Fail, "/a/1/"},
		"a list of lists, and an inner one differs":      {`{"a":[[{"b":"x"}]]}`, `{"a":[[{"b":"y"}]]}`, pattern.Fail, "/a/0/0/b/"},
		"a list of lists, and too few are there":         {`{"a":[["x"],["y"]]}`, `{"a":[["x"]]}`, pattern.Error, "/a/"},
		"a list of lists, and conditions leave all out":  {`{"a":[[{"(b)":"x"}]]}`, `{"a":[[{"b":"y"}]]}`, pattern.Skip, "/a/0/0/b/"},
		"a list of lists, and conditions leave some out": {`{"a":[[{"(b)":"x"}],["y"]]}`, `{"a":[[{"b":"z"}],["y"]]}`, pattern.Pass, ""},
	})
}

func TestMatchConditions(t *testing.T) {
	runMatchTests(t, map[string]matchTest{
		"the condition holds and the rest matches":         {`{"(a)":"x","b":"y"}`, `{"a":"x","b":"y"}`, pattern.Pass, ""},
		"the condition holds and the rest does not":        {`{"(a)":"x","b":"y"}`, `{"a":"x","b":"z"}`, pattern.Fail, "/b/"},
		"the condition does not hold":                      {`{"(a)":"x","b":"y"}`, `{"a":"z","b":"z"}`, pattern.Skip, "/a/"},
		"the condition's key is missing":                   {`{"(a)":"x","b":"y"}`, `{"b":"z"}`, pattern.Skip, "/a/"},
		"the condition's key is null":                      {`{"(a)":"x"}`, `{"a":null}`, pattern.Skip, "/a/"},
		"null in a condition wants the key":                {`{"(a)":null}`, `{}`, pattern.Skip, "/a/"},
		"one of two conditions does not hold":              {`{"(a)":"x","(b)":"y","c":"z"}`, `{"a":"x","b":"x"}`, pattern.Skip, "/b/"},
		"a condition on an object":                         {`{"(a)":{"b":"x"},"c":"y"}`, `{"a":{"b":"z"}}`, pattern.Skip, "/a/b/"},
		"a condition on an object that is text":            {`{"(a)":{"b":"x"},"c":"y"}`, `{"a":"z"}`, pattern.Skip, "/a/"},
		"a condition on a list":                            {`{"(a)":[{"b":"x"}],"c":"y"}`, `{"a":[{"b":"x"},{"b":"z"}]}`, pattern.Skip, "/a/1/b/"},
		"a condition below skips the whole":                {`{"a":{"(b)":"x","c":"y"},"d":"z"}`, `{"a":{"b":"z"}}`, pattern.Skip, "/a/b/"},
		"conditions below are looked at before plain keys": {`{"a":"x","z":{"(b)":"x"}}`, `{"a":"wrong","z":{"b":"y"}}`, pattern.Skip, "/z/b/"},
		"of two keys with anchors below, the last is first": {
			`{"a":{"(b)":"x"},"z":{"b":"x","=(c)":"x"}}`, `{"a":{"b":"y"},"z":{"b":"y"}}`, pattern.Fail, "/z/b/"},
		"a condition under an equality leaves only that out": {
			`{"=(a)":{"(b)":"x","c":"y"},"=(d)":"z"}`, `{"a":{"b":"no"},"d":"z"}`, pattern.Pass, ""},
		"a condition under an equality, and nothing else": {`{"=(a)":{"(b)":"x","c":"y"}}`, `{"a":{"b":"no"}}`, pattern.Skip, "/a/b/"},
		"a condition under an equality, and plain keys":   {`{"=(a)":{"(b)":"x"},"c":"y"}`, `{"a":{"b":"no"},"c":"no"}`, pattern.Skip, "/a/b/"},
		"a failed equality before a condition below another": {
			`{"=(a)":{"(b)":"x"},"=(c)":"y"}`, `{"a":{"b":"no"},"c":"no"}`, pattern.Fail, "/c/"},
		"a condition that does not hold forgives a negation": {`{"(a)":"x","X(b)":null}`, `{"a":"no","b":1}`, pattern.Skip, "/a/"},
		"a condition on a negation":                          {`{"(a)":{"X(b)":null},"c":"x"}`, `{"a":{"b":1},"c":"y"}`, pattern.Skip, "/a/b/"},

		"elements left out do not count":     {`{"l":[{"(a)":"x","b":"y"}]}`, `{"l":[{"a":"no","b":"no"},{"a":"x","b":"y"}]}`, pattern.Pass, ""},
		"elements left out, and one fails":   {`{"l":[{"(a)":"x","b":"y"}]}`, `{"l":[{"a":"no"},{"a":"x","b":"no"}]}`, pattern.Fail, "/l/1/b/"},
		"all elements are left out":          {`{"l":[{"(a)":"x","b":"y"}]}`, `{"l":[{"a":"no"},{"a":"nor"}]}`, pattern.Skip, "/l/1/a/"},
		"no elements are there to leave out": {`{"l":[{"(a)":"x"}]}`, `{"l":[]}`, pattern.Pass, ""},
		"elements left out two lists deep": {
			`{"l":[{"m":[{"(a)":"x","b":"y"}]}]}`, `{"l":[{"m":[{"a":"no"}]},{"m":[{"a":"x","b":"y"}]}]}`, pattern.Pass, ""},
		"an anchored list whose elements are left out": {
			`{"(l)":[{"(a)":"x"}],"b":"y"}`, `{"l":[{"a":"no"}],"b":"no"}`, pattern.Skip, "/l/0/a/"},

		"the global condition holds":                 {`{"<(a)":"x","b":"y"}`, `{"a":"x","b":"no"}`, pattern.Fail, "/b/"},
		"the global condition does not hold":         {`{"<(a)":"x","b":"y"}`, `{"a":"no","b":"no"}`, pattern.Skip, "/a/"},
		"the global condition's key is missing":      {`{"<(a)":"x","b":"y"}`, `{"b":"no"}`, pattern.Fail, "/b/"},
		"a global condition below skips the whole":   {`{"m":{"<(a)":"x"},"b":"y"}`, `{"m":{"a":"no"},"b":"no"}`, pattern.Skip, "/m/a/"},
		"a global condition in a list leaves it out": {`{"l":[{"<(a)":"x","b":"y"}]}`, `{"l":[{"a":"x","b":"y"},{"a":"no"}]}`, pattern.Pass, ""},
		"a global condition comes after a negation":  {`{"<(a)":"x","X(b)":null}`, `{"a":"no","b":1}`, pattern.Fail, "/b/"},
		"a global condition under an equality":       {`{"=(m)":{"<(a)":"x"},"X(b)":null}`, `{"m":{"a":"no"},"b":1}`, pattern.Skip, "/m/a/"},
	})
}

func TestMatchOtherAnchors(t *testing.T) {
	runMatchTests(t, map[string]matchTest{
		"an equality, and the key is missing":     {`{"=(a)":"x"}`, `{}`, pattern.Pass, ""},
		"an equality, and it matches":             {`{"=(a)":{"=(b)":"x"}}`, `{"a":{"b":"x"}}`, pattern.Pass, ""},
		"an equality, and it does not":            {`{"=(a)":{"=(b)":"x"}}`, `{"a":{"b":"y"}}`, pattern.Fail, "/a/b/"},
		"an equality, and the key is null":        {`{"=(a)":{"b":"x"}}`, `{"a":null}`, pattern.Fail, "/a/"},
		"an equality on a list, empty":            {`{"=(a)":[{"b":"x"}]}`, `{"a":[]}`, pattern.Pass, ""},
		"two equalities, the first that differs":  {`{"=(b)":"x","=(a)":"x"}`, `{"a":"y","b":"y"}`, pattern.Fail, "/a/"},
		"equalities come before plain keys":       {`{"a":"x","=(b)":"x"}`, `{"a":"y","b":"y"}`, pattern.Fail, "/b/"},
		"a negation, and the key is missing":      {`{"X(a)":null}`, `{"b":1}`, pattern.Pass, ""},
		"a negation, and the key is there":        {`{"X(a)":null}`, `{"a":1}`, pattern.Fail, "/a/"},
		"a negation, and the key is null":         {`{"X(a)":"null"}`, `{"a":null}`, pattern.Fail, "/a/"},
		"a negation does not look at the value":   {`{"X(a)":"x"}`, `{"a":"y"}`, pattern.Fail, "/a/"},
		"a negation in a list":                    {`{"l":[{"X(a)":null}]}`, `{"l":[{},{"a":1}]}`, pattern.Fail, "/l/1/a/"},
		"an existence, and the key is missing":    {`{"^(l)":[{"a":"x"}]}`, `{}`, pattern.Pass, ""},
		"an existence, and one element matches":   {`{"^(l)":[{"a":"x"}]}`, `{"l":[{"a":"y"},{"a":"x"}]}`, pattern.Pass, ""},
		"an existence, and no element does":       {`{"^(l)":[{"a":"x"}]}`, `{"l":[{"a":"y"},"x"]}`, pattern.Fail, "/l/"},
		"an existence in an empty list":           {`{"^(l)":[{"a":"x"}]}`, `{"l":[]}`, pattern.Fail, "/l/"},
		"an existence of two, and both are there": {`{"^(l)":[{"a":"x"},{"a":"y"}]}`, `{"l":[{"a":"y"},{"a":"x"}]}`, pattern.Pass, ""},
		"an existence of two, and one is not":     {`{"^(l)":[{"a":"x"},{"a":"y"}]}`, `{"l":[{"a":"x"}]}`, pattern.Fail, "/l/"},
		"an existence, and it is no list":         {`{"^(l)":[{"a":"x"}]}`, `{"l":{"a":"x"}}`, pattern.Fail, "/l/"},
		"an existence, and it is null":            {`{"^(l)":[{"a":"x"}]}`, `{"l":null}`, pattern.Fail, "/l/"},
		"conditions in an existence select":       {`{"^(l)":[{"(a)":"x","b":"y"}]}`, `{"l":[{"a":"no"},{"a":"x","b":"y"}]}`, pattern.Pass, ""},
		"an existence whose elements are left out fails": {
			`{"^(l)":[{"(a)":"x","b":"y"}]}`, `{"l":[{"a":"no"}]}`, pattern.Fail, "/l/"},
		"a negation in an existence": {`{"^(l)":[{"X(a)":null}]}`, `{"l":[{"a":1}]}`, pattern.Fail, "/l/"},
	})
}

// When an object fails and some key that the pattern anchors was found nowhere in it, Kyverno answers
// error. Negations do not count, and one key found anywhere is enough for all places of that key.
func TestMatchMissingAnchors(t *testing.T) {
	runMatchTests(t, map[string]matchTest{
		"an existence without its key, and a failure":      {`{"^(l)":[{"a":"x"}],"b":"y"}`, `{"b":"no"}`, pattern.Error, "/b/"},
		"an existence with its key, and a failure":         {`{"^(l)":[{"a":"x"}],"b":"y"}`, `{"l":[{"a":"x"}],"b":"no"}`, pattern.Fail, "/b/"},
		"an existence without its key, and a negation":     {`{"^(l)":[{"a":"x"}],"c":{"X(b)":null}}`, `{"c":{"b":1}}`, pattern.Fail, "/c/b/"},
		"a negation without its key, and a failure":        {`{"X(a)":null,"b":"y"}`, `{"b":"no"}`, pattern.Fail, "/b/"},
		"a condition without its key under an equality":    {`{"=(m)":{"(a)":"x"},"=(n)":"y"}`, `{"m":{},"n":"no"}`, pattern.Error, "/n/"},
		"a condition that is in another element":           {`{"l":[{"(a)":"x","b":"y"}]}`, `{"l":[{"b":"no"},{"a":"x","b":"no"}]}`, pattern.Fail, "/l/1/b/"},
		"the same key in another place":                    {`{"=(m)":{"(a)":"x"},"=(n)":{"(a)":"x","b":"y"}}`, `{"m":{},"n":{"a":"x","b":"no"}}`, pattern.Fail, "/n/b/"},
		"a condition in a place that was not looked at":    {`{"=(a)":"x","=(m)":{"(k)":"x"}}`, `{"a":"no"}`, pattern.Fail, "/a/"},
		"what follows a condition is looked at even so":    {`{"l":[{"(a)":"x","=(m)":{"(k)":"x"},"b":"y"}]}`, `{"l":[{"a":"no","m":{}},{"a":"x","b":"no"}]}`, pattern.Error, "/l/1/b/"},
		"what follows a failure that a condition forgives": {`{"l":[{"(a)":"x","=(c)":"y","=(m)":{"(k)":"x"},"b":"y"}]}`, `{"l":[{"a":"no","c":"no","m":{}},{"a":"x","b":"no"}]}`, pattern.Error, "/l/1/b/"},
		"an existence that finds no element has its keys":  {`{"^(l)":[{"(a)":"x"}]}`, `{"l":[{"a":"no"}]}`, pattern.Fail, "/l/"},
		"an existence whose condition has no key":          {`{"^(l)":[{"(a)":"x"}]}`, `{"l":[{}]}`, pattern.Error, "/l/"},
	})
}

func TestMatchWildcardKeys(t *testing.T) {
	runMatchTests(t, map[string]matchTest{
		"an annotation by prefix":                 {`{"metadata":{"annotations":{"e.io/*":"v*"}}}`, `{"metadata":{"annotations":{"e.io/b":"v1"}}}`, pattern.Pass, ""},
		"an annotation by prefix, and it differs": {`{"metadata":{"annotations":{"e.io/*":"v*"}}}`, `{"metadata":{"annotations":{"e.io/b":"w"}}}`, pattern.Fail, "/metadata/annotations/e.io/b/"},
		"an annotation that is not there":         {`{"metadata":{"annotations":{"e.io/*":"v*"}}}`, `{"metadata":{"annotations":{"x":"v"}}}`, pattern.Fail, "/metadata/annotations/e.io/*/"},
		"no annotations at all":                   {`{"metadata":{"annotations":{"e.io/*":"v"}}}`, `{"metadata":{"labels":{"e.io/b":"v"}}}`, pattern.Fail, "/metadata/annotations/"},
		"a label by suffix":                       {`{"metadata":{"labels":{"*/team":"x"}}}`, `{"metadata":{"labels":{"e.io/team":"x"}}}`, pattern.Pass, ""},
		"a label by single characters":            {`{"metadata":{"labels":{"e.io/b??":"x"}}}`, `{"metadata":{"labels":{"e.io/bar":"x"}}}`, pattern.Pass, ""},
		"anchors around the metadata":             {`{"=(metadata)":{"=(labels)":{"a*":"x","b*":"y"}}}`, `{"metadata":{"labels":{"a1":"x","b1":"y"}}}`, pattern.Pass, ""},
		"an equality with a wildcard":             {`{"metadata":{"labels":{"=(a*)":"x"}}}`, `{"metadata":{"labels":{"b":"y"}}}`, pattern.Pass, ""},
		"an equality with a wildcard that fails":  {`{"metadata":{"labels":{"=(a*)":"x"}}}`, `{"metadata":{"labels":{"a1":"y"}}}`, pattern.Fail, "/metadata/labels/a1/"},
		"a negation with a wildcard":              {`{"metadata":{"=(annotations)":{"X(e.io/*)":"?*"}}}`, `{"metadata":{"annotations":{"e.io/b":"x"}}}`, pattern.Fail, "/metadata/annotations/e.io/b/"},
		"a condition with a wildcard":             {`{"metadata":{"labels":{"(a*)":"x"}},"b":"y"}`, `{"metadata":{"labels":{"a1":"z"}}}`, pattern.Skip, "/metadata/labels/a1/"},
		"of several labels the first in order":    {`{"metadata":{"labels":{"a*":"x"}}}`, `{"metadata":{"labels":{"a2":"x","a1":"y","a3":"x"}}}`, pattern.Fail, "/metadata/labels/a1/"},
		"labels of a template":                    {`{"spec":{"template":{"metadata":{"labels":{"a*":"x"}}}}}`, `{"spec":{"template":{"metadata":{"labels":{"a1":"x"}}}}}`, pattern.Pass, ""},
		"labels of every element":                 {`{"l":[{"metadata":{"labels":{"a*":"x"}}}]}`, `{"l":[{"metadata":{"labels":{"a1":"x"}}},{"metadata":{"labels":{"a2":"x"}}}]}`, pattern.Pass, ""},
		"a label that is no text is none":         {`{"metadata":{"labels":{"a*":"x"}}}`, `{"metadata":{"labels":{"a1":1}}}`, pattern.Fail, "/metadata/labels/a*/"},
		"wildcards elsewhere are no wildcards":    {`{"data":{"a*":"x"}}`, `{"data":{"a1":"x"}}`, pattern.Fail, "/data/a*/"},
		"wildcards in other metadata are none":    {`{"metadata":{"other":{"a*":"x"}}}`, `{"metadata":{"other":{"a1":"x"}}}`, pattern.Fail, "/metadata/other/a*/"},
		"labels outside of metadata are none":     {`{"labels":{"a*":"x"}}`, `{"labels":{"a1":"x"}}`, pattern.Fail, "/labels/a*/"},
		"a label that must be empty":              {`{"metadata":{"labels":{"a":null}}}`, `{"metadata":{"labels":{"a":"x"}}}`, pattern.Fail, "/metadata/labels/a/"},
		"a label that must not be":                {`{"metadata":{"labels":{"X(a)":null}}}`, `{"metadata":{"labels":{"a":"x"}}}`, pattern.Fail, "/metadata/labels/a/"},
		"a label that is a number":                {`{"metadata":{"labels":{"a":3}}}`, `{"metadata":{"labels":{"a":"4"}}}`, pattern.Fail, "/metadata/labels/a/"},
	})
}

// Kyverno tells skips by words in the text of an error, and the text holds values of the object: an object
// that says the words is let through. Here an outcome is never read out of a text.
func TestAValueCannotPoseAsACondition(t *testing.T) {
	p := compile(t, `{"spec":{"image":"registry.example.com/*"}}`)
	for _, words := range []string{"conditional anchor mismatch", "global anchor mismatch", "negation anchor matched in resource"} {
		got := p.Match(nil, object{"spec": object{"image": words}})
		if got.Outcome != pattern.Fail || got.Path != "/spec/image/" {
			t.Errorf("%q: got %v at %s", words, got.Outcome, got.Path)
		}
	}
}

func TestMatchGoesAsDeepAsThePattern(t *testing.T) {
	var tree, value any = "x", "y"
	want := "/"
	for i := range pattern.MaxDepth {
		if i%2 == 0 {
			tree, value, want = object{"k": tree}, object{"k": value}, "/0/k"+want
		} else {
			tree, value = list{tree}, list{value}
		}
	}
	p, err := pattern.Compile(tree, pattern.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := p.Match(nil, value)
	if got.Outcome != pattern.Fail || got.Path != want {
		t.Errorf("got %v at %s, want %s", got.Outcome, got.Path, want)
	}
}
