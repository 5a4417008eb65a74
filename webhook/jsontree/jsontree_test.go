package jsontree

import (
	"encoding/json"
	"reflect"
	"testing"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

// texts are JSON and nearly JSON.
var texts = []string{
	``, ` `, `null`, ` null `, `{}`, ` { } `, `[]`, `3`, `"a"`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":1}}`, `{"a":1} x`,
	`{"a":1,"b":-1,"c":0,"d":-0,"e":1.5,"f":1e3,"g":1E-3,"h":123456789012345678901234567890,"i":0.1,"j":999999999999999}`,
	`{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":+1}`, `{"a":1e999}`, `{"a":0x1}`, `{"a":1_0}`,
	`{"a":[1,[2,[],{}],"x",null,true,false],"b":[ ]}`, `{"a":[1,]}`, `{"a":[,]}`, `{"a":[1 2]}`, `{"a":[1`, `{"a" : [ 1 , 2 ] , "b" : { "c" : "d" } }`,
	`{"a":"x\ny","b":"\u00e9\ud83d\ude00","c":"\ud83d","d":"\\","e":"\"","f":"\\\""}`, `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"x\ny\"}", "{\"a\":\"\x00\"}",
	`{"k:{\"name\":\"main\"}":{".":{}},"a\\b\/c":"x\ty\/","d\":1,"e\u0041":2,"":3}`, `{"a\"" :1}`, `{"a\"":1,"a\"":2}`, `{"a\":1}`, "{\"a\\\"\n\":1}", `{"a\"" 1}`,
	`{"ä":"ö","a":"é"}`, "{\"a\":\"\xff\"}", "{\"\xff\":1}", `{"a\u0062":1}`, `{"a":1,"a":2}`, `{"a":tru}`, `{"a":nul}`, `{"a":truex}`, `{"a":TRUE}`, `{1:2}`, `{"a"=1}`,
}

func nested(depth int) string {
	text := "1"
	for range depth {
		text = `{"a":[` + text + `]}`
	}
	return text
}

func TestAnObjectIsWhatEncodingJSONMakesOfIt(t *testing.T) {
	for _, text := range append(texts, nested(3), nested(maxDepth), nested(6000)) {
		compare(t, text)
	}
}

func TestACopyIsWhatTheMachineryOfTheAPIMakesOfIt(t *testing.T) {
	for _, text := range append(texts, `{"a":-9223372036854775808,"b":9223372036854775808,"c":[1,1.0,-1e2,00]}`, `{"a":-12,"b":{"f:metadata":{"a key that is longer than a field's name":0}}}`, nested(3)) {
		compareCopies(t, text)
	}
}

// What is plain is decoded here, whatever managedFields call their keys: to ask somebody else takes four times as long.
func TestKeysOfManagedFieldsArePlain(t *testing.T) {
	const text = `{"metadata":{"managedFields":[{"fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:image":{}}}}}}],"annotations":{"a":"{\"b\":1}\n"}}}`
	if _, ok := Copied(text); !ok {
		t.Error("somebody else is asked")
	}
	d := decoder{scanner: scanner{text: text}}
	if _, ok := d.object(0); !ok || !d.ended() {
		t.Error("encoding/json is asked")
	}
}

func FuzzCopied(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(compareCopies)
}

func compareCopies(t *testing.T, text string) {
	t.Helper()
	got, ok := Copied(text)
	var want map[string]any
	err := kjson.Unmarshal([]byte(text), &want)
	if ok && (err != nil || !reflect.DeepEqual(got, want)) {
		t.Fatalf("%.100q: got %v, want %v, %v", text, got, want, err)
	}
}

func FuzzObject(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(compare)
}

func compare(t *testing.T, text string) {
	t.Helper()
	got, err := Object(text)
	var want map[string]any
	wantErr := json.Unmarshal([]byte(text), &want)
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("%.100q: got error %v, want %v", text, err, wantErr)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%.100q: got %v, want %v", text, got, want)
	}
}

func TestCut(t *testing.T) {
	tests := map[string]struct {
		text, rest string
		parts      map[string]string
	}{
		"values of every sort": {
			`{"kind":"K","request":{"uid":"u","a":{"x":[1,"}"],"y":"\"]"},"n":1 , "b":null},"z":[{}]}`,
			`{"kind":"K","request":{"uid":"u","a":null,"n":1 , "b":null},"z":[{}]}`,
			map[string]string{"a": `{"x":[1,"}"],"y":"\"]"}`, "b": "null"},
		},
		"none of the names":               {`{"request":{"c":1}}`, `{"request":{"c":1}}`, map[string]string{}},
		"a name elsewhere":                {`{"a":{"b":1},"request":{"c":{"a":1}}}`, `{"a":{"b":1},"request":{"c":{"a":1}}}`, map[string]string{}},
		"a name twice, of which the last": {`{"request":{"a":1,"a":2}}`, `{"request":{"a":null,"a":null}}`, map[string]string{"a": "2"}},
		"nothing inside":                  {`{"request":{}}`, `{"request":{}}`, map[string]string{}},
		"what is inside is no object":     {`{"request":[{"a":1}]}`, `{"request":[{"a":1}]}`, map[string]string{}},
		"what has no end":                 {`{"request":{"a":{"b":1}`, `{"request":{"a":{"b":1}`, nil},
		"a text without an end":           {`{"request":{"a":"x}}`, `{"request":{"a":"x}}`, nil},
		"a key with escapes":              {`{"request":{"\u0061":1}}`, `{"request":{"\u0061":1}}`, nil},
		"no value":                        {`{"request":{"a":}}`, `{"request":{"a":}}`, nil},
		"no object":                       {`[]`, `[]`, nil},
		"nothing":                         {``, ``, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rest, parts := Cut(test.text, "request", "a", "b")
			if rest != test.rest || !reflect.DeepEqual(parts, test.parts) {
				t.Errorf("got  %s %q\nwant %s %q", rest, parts, test.rest, test.parts)
			}
		})
	}
}

// FuzzCut puts the parts back to where they were.
func FuzzCut(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text := `{"request":{"uid":"u","a":` + value + `,"c":[1]}}`
		var want, got struct {
			Request struct {
				UID string          `json:"uid"`
				A   json.RawMessage `json:"a"`
				C   []int           `json:"c"`
			} `json:"request"`
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			return
		}
		rest, parts := Cut(text, "request", "a")
		if err := json.Unmarshal([]byte(rest), &got); err != nil {
			t.Fatalf("%s: %v", rest, err)
		}
		if part, cut := parts["a"]; cut {
			got.Request.A = json.RawMessage(part)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %+v, want %+v", text, got, want)
		}
	})
}
