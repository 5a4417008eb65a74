package app

import (
	"bytes"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
)

// plainFrames parts what a watch sends into its events by the braces alone, which takes a fifth of the time that it takes to
// read them as JSON: whoever decodes an event finds out whether it is.
type plainFrames struct{ runtime.Framer }

// NewFrameReader implements runtime.Framer.
func (plainFrames) NewFrameReader(r io.ReadCloser) io.ReadCloser { return &frames{from: r} }

// frames gives an event at each Read, or with io.ErrShortBuffer a part of one.
type frames struct {
	from io.ReadCloser
	// buffer is what was read and not given yet, somewhere in all; the first end bytes are an event, 0 for not yet.
	buffer, all []byte
	end         int
	// at is how far the buffer was looked through, how deep in braces that is, and whether in a text.
	at, depth int
	inText    bool
}

const (
	// chunk is how much is read at a time, at least: an object has a few kB.
	chunk = 4 << 10
	// longestFrame bounds an event, as streaming.NewDecoder does.
	longestFrame = 16 << 20
)

func (f *frames) Close() error { return f.from.Close() }

// Read implements what streaming.NewDecoder reads from.
func (f *frames) Read(into []byte) (int, error) {
	for f.end == 0 {
		if f.looked() {
			break
		}
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(into, f.buffer[:f.end])
	f.buffer, f.end = f.buffer[n:], f.end-n
	if f.end > 0 {
		return n, io.ErrShortBuffer
	}
	f.at = 0
	return n, nil
}

// fill reads on.
func (f *frames) fill() error {
	if len(f.buffer) > longestFrame {
		return streaming.ErrObjectTooLarge
	}
	if cap(f.buffer)-len(f.buffer) < chunk {
		if len(f.all) < len(f.buffer)+chunk {
			f.all = make([]byte, 2*len(f.buffer)+4*chunk)
		}
		f.buffer = f.all[:copy(f.all, f.buffer)]
	}
	n, err := f.from.Read(f.buffer[len(f.buffer):cap(f.buffer)])
	f.buffer = f.buffer[:len(f.buffer)+n]
	switch {
	case n > 0:
		return nil // an error comes again
	case errors.Is(err, io.EOF) && len(f.buffer) > 0:
		return io.ErrUnexpectedEOF
	default:
		return err //nolint:wrapcheck // client-go tells by it what became of the connection
	}
}

// looked looks through what was read, and reports whether it begins with an event.
func (f *frames) looked() bool {
	if f.at == 0 {
		f.buffer = bytes.TrimLeft(f.buffer, " \t\r\n")
	}
	for f.at < len(f.buffer) {
		if f.inText && !f.leaveText() {
			return false
		}
		for f.at < len(f.buffer) && !f.inText {
			switch f.buffer[f.at] {
			case '"':
				f.inText = true
			case '{':
				f.depth++
			case '}':
				f.depth--
			}
			f.at++
			if f.depth <= 0 && !f.inText { // an event, or what is none, byte by byte
				f.end, f.depth = f.at, 0
				return true
			}
		}
	}
	return false
}

// leaveText goes on behind the end of the text, if that was read.
func (f *frames) leaveText() bool {
	for {
		i := bytes.IndexByte(f.buffer[f.at:], '"')
		if i < 0 {
			f.at = len(f.buffer)
			return false
		}
		before := f.buffer[:f.at+i]
		f.at += i + 1
		if escapes := len(before) - len(bytes.TrimRight(before, `\`)); escapes%2 == 0 {
			f.inText = false
			return true
		}
	}
}
