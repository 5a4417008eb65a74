package app

import (
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine/nearest"
	"github.com/holdfast-io/holdfast/report"
)

// What a command line needs of the packages behind app, which it does not import itself.

// BundleError lists every problem of a bundle that cannot be loaded, each with its place.
type BundleError = bundle.Error

// Coloured is for IO.Colour, on a terminal that shows colours.
const Coloured = report.Coloured

// Nearest gives the name that is spelled most like the given one, or "".
func Nearest(written string, names []string) string { return nearest.Name(written, names) }
