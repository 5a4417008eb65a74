package report

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unique"
)

// sheet is one report in the cluster, with the objects that it is about: one, or with PerNamespace as many as have room.
type sheet struct {
	namespace unique.Handle[string]
	// number tells the sheets of a namespace apart; 0 for one that is about one object alone.
	number int32
	// entries are the objects on it. One that has moved to another sheet stays until it is not written here any more.
	entries []*entry
	// size is about how long its results come to be.
	size int32
	// busy is set while a worker writes it.
	busy bool
}

// A sheet takes objects until one of these is reached. Whoever changes one of its objects writes all of it, and a reader
// reads all of it: a quarter of a megabyte, which etcd writes in some 10 ms, is some 400 failures. What its objects come to
// in the end may be three times as long, and still fits into a request with all that stands beside the results, etcd's
// limit being 1.5 MiB. The annotation with 500 objects has some 40 kB; the API server takes 256 KiB.
const (
	sheetObjects = 500
	sheetSize    = 256 << 10
)

// The names of reports: namePrefix with an object's UID, or sheetPrefix with a number.
const (
	namePrefix  = "holdfast-"
	sheetPrefix = namePrefix + "part-"
)

func (s *sheet) name() string {
	if s.number > 0 {
		return fmt.Sprint(sheetPrefix, s.number)
	}
	return namePrefix + s.entries[0].uid
}

// changed reports whether the report is to be written.
func (s *sheet) changed() bool {
	return slices.ContainsFunc(s.entries, (*entry).changed)
}

// lane is the first of those of its objects.
func (s *sheet) lane() lane {
	first := last
	for _, e := range s.entries {
		first = min(first, e.lane())
	}
	return first
}

// hasRoom reports whether another object may be put on it.
func (s *sheet) hasRoom(size int32) bool {
	return len(s.entries) < sheetObjects && s.size+size <= sheetSize
}

// take puts an object on the sheet.
func (s *sheet) take(e *entry) {
	e.sheet, s.entries, s.size = s, append(s.entries, e), s.size+e.size()
}

// sheets are the reports of one layout. Those that are about one object alone are known by their entries.
type sheets struct {
	layout Layout
	// byKey are those with numbers, by their names in the queue, and byNamespace the same in the order of the numbers.
	byKey       map[string]*sheet
	byNamespace map[unique.Handle[string]][]*sheet
}

func newSheets(layout Layout) sheets {
	return sheets{layout: layout, byKey: map[string]*sheet{}, byNamespace: map[unique.Handle[string]][]*sheet{}}
}

// key names a sheet in the queue: by the UID of its object, or by its namespace and number.
func (s *sheet) key() string {
	if s.number > 0 {
		return fmt.Sprint(s.namespace.Value(), "/", s.number)
	}
	return s.entries[0].uid
}

// add takes up a sheet.
func (ss *sheets) add(s *sheet) {
	if s.number == 0 {
		return
	}
	ss.byKey[s.key()] = s
	list := ss.byNamespace[s.namespace]
	at, _ := slices.BinarySearchFunc(list, s.number, func(s *sheet, n int32) int { return int(s.number - n) })
	ss.byNamespace[s.namespace] = slices.Insert(list, at, s)
}

// sheet finds a report by its name in the queue; nil for none.
func (w *Writer) sheet(key string) *sheet {
	if s := w.sheets.byKey[key]; s != nil {
		return s
	}
	if e := w.entries[key]; e != nil && e.sheet != nil && e.sheet.number == 0 {
		return e.sheet
	}
	return nil
}

// all goes through the reports.
func (w *Writer) all() iter.Seq[*sheet] {
	return func(yield func(*sheet) bool) {
		for _, s := range w.sheets.byKey {
			if !yield(s) {
				return
			}
		}
		for _, e := range w.entries {
			if e.sheet != nil && e.sheet.number == 0 && !yield(e.sheet) {
				return
			}
		}
	}
}

// drop forgets a sheet under its key.
func (ss *sheets) drop(key string) {
	s := ss.byKey[key]
	delete(ss.byKey, key)
	if s == nil {
		return
	}
	list := slices.DeleteFunc(ss.byNamespace[s.namespace], func(other *sheet) bool { return other == s })
	if len(list) == 0 {
		delete(ss.byNamespace, s.namespace)
	} else {
		ss.byNamespace[s.namespace] = list
	}
}

// place puts an object on the first sheet that has room, or on a new one. It stays there, whatever comes and goes beside
// it, as long as there is anything to say of it: only so does a change of one object change one report.
func (ss *sheets) place(e *entry) {
	namespace := unique.Make(e.of.Value().namespace)
	if ss.layout == PerResource {
		s := &sheet{namespace: namespace}
		s.take(e)
		return
	}
	free := int32(1)
	for _, s := range ss.byNamespace[namespace] {
		if s.hasRoom(e.size()) {
			s.take(e)
			return
		}
		if s.number == free {
			free++
		}
	}
	s := &sheet{namespace: namespace, number: free}
	s.take(e)
	ss.add(s)
}

// layoutOf tells from the name of a report which layout it is of, and its number; false for a name that is none of ours.
func layoutOf(name string) (l Layout, number int, ok bool) {
	rest, ok := strings.CutPrefix(name, sheetPrefix)
	if !ok {
		return PerResource, 0, strings.HasPrefix(name, namePrefix)
	}
	_, err := fmt.Sscanf(rest, "%d", &number)
	return PerNamespace, number, err == nil && number > 0 && fmt.Sprint(number) == rest
}
