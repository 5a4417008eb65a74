package app

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	restwatch "k8s.io/client-go/rest/watch"
)

// watched gives what the client makes of the events of a watch, up to an error.
func watched(t testing.TB, s runtime.NegotiatedSerializer, text string) (out []any, err error) {
	t.Helper()
	objects, stream, framer, err := runtime.NewClientNegotiator(s, schema.GroupVersion{}).StreamDecoder(runtime.ContentTypeJSON, nil)
	if err != nil {
		t.Fatal(err)
	}
	decoder := restwatch.NewDecoder(streaming.NewDecoder(framer.NewFrameReader(io.NopCloser(strings.NewReader(text))), stream), objects)
	for {
		kind, object, err := decoder.Decode()
		if err != nil {
			return out, err
		}
		out = append(out, kind, object)
	}
}

// broken says of what is no JSON that it is: client-go finds it out when it looks for the end of an event, and words it otherwise.
const broken = "no JSON"

// What a watch sends is decoded as client-go does it, errors included.
func TestWatchesAreDecodedAsClientGoDoes(t *testing.T) {
	theirs := dynamic.ConfigFor(&rest.Config{}).NegotiatedSerializer
	const pod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","generation":3,"labels":{"x":"}\",\"object\":{"}},"spec":{"n":1,"f":1.5,"big":123456789012,"e":1e3,"list":[1,2.0,"ä",null,true]}}`
	for name, text := range map[string]string{
		"an object":             `{"type":"ADDED","object":` + pod + "}\n",
		"several":               `{"type":"ADDED","object":` + pod + "}\n" + `{"type":"MODIFIED","object":` + pod + `}{"type":"DELETED","object":` + pod + "}\n",
		"a bookmark":            `{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}`,
		"an error":              `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}`,
		"another order":         `{"object":` + pod + `,"type":"ADDED"}`,
		"spaces":                "{ \"type\": \"ADDED\",\n \"object\": " + pod + " }",
		"an escape in the type": `{"type":"\u0041DDED","object":` + pod + `}`,
		"an unknown type":       `{"type":"LOST","object":` + pod + `}`,
		"no kind":               `{"type":"ADDED","object":{"metadata":{}}}`,
		"no object":             `{"type":"ADDED"}`,
		"null":                  `{"type":"ADDED","object":null}`,
		"a list":                `{"type":"ADDED","object":{"kind":"PodList","apiVersion":"v1","items":[` + pod + `]}}`,
		broken:                  `{"type":"ADDED","object":{]}}`,
		"the end in the middle": `{"type":"ADDED","object":{"kind":"Pod"`,
		"nothing":               "",
	} {
		t.Run(name, func(t *testing.T) {
			got, gotErr := watched(t, plainWatches{theirs}, text)
			want, wantErr := watched(t, theirs, text)
			if name == broken && len(got) == 0 && !errors.Is(gotErr, io.EOF) && !errors.Is(wantErr, io.EOF) {
				return
			}
			if !reflect.DeepEqual(got, want) || gotErr.Error() != wantErr.Error() {
				t.Errorf("got %v, %v\nwant %v, %v", got, gotErr, want, wantErr)
			}
		})
	}
}

// Events are parted the same wherever the network cuts them, and whatever stands in their texts.
func TestEventsArePartedWhereverTheyAreCut(t *testing.T) {
	events := []string{`{"a":"}{\\"}`, `{"b":{"c":"\"{"},"d":["}"]}`, `{}`, `{"long":"` + strings.Repeat("x", 3*chunk) + `\\\""}`}
	text := " " + strings.Join(events, "\n") + "\n"
	for _, by := range []int{1, 2, 3, 7, chunk, len(text)} {
		for _, room := range []int{1, 5, len(text)} {
			r := plainFrames{}.NewFrameReader(io.NopCloser(&cut{strings.NewReader(text), by}))
			for _, want := range events {
				var got []byte
				for err := io.ErrShortBuffer; errors.Is(err, io.ErrShortBuffer); {
					var n int
					into := make([]byte, room)
					n, err = r.Read(into)
					got = append(got, into[:n]...)
					if err != nil && !errors.Is(err, io.ErrShortBuffer) {
						t.Fatalf("cut at %d bytes: %v", by, err)
					}
				}
				if string(got) != want {
					t.Fatalf("cut at %d bytes, %d at a time: got %.60q, want %.60q", by, room, got, want)
				}
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %d bytes, %v", n, err)
			}
		}
	}
}

// cut reads so many bytes at a time.
type cut struct {
	from io.Reader
	by   int
}

func (c *cut) Read(into []byte) (int, error) { return c.from.Read(into[:min(len(into), c.by)]) }

func BenchmarkWatch(b *testing.B) {
	theirs := dynamic.ConfigFor(&rest.Config{}).NegotiatedSerializer
	container := `{"name":"c","image":"registry.example.com/team/app:1.2.3","env":[{"name":"A","value":"a"}],"resources":{"requests":{"cpu":"100m"}},"ports":[{"containerPort":8080}]}`
	event := `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u"},"spec":{"containers":[` + strings.Repeat(container+",", 20) + container + "]}}}\n"
	text := strings.Repeat(event, 100)
	for name, s := range map[string]runtime.NegotiatedSerializer{"client-go": theirs, "plain": plainWatches{theirs}} {
		b.Run("decoder="+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := watched(b, s, text); !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}
