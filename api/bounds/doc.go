// Package bounds reads what options and annotations say of how far and how fast objects are changed: at which times, how many,
// in which steps and in which order. Text comes in; values come out, or an error that says what was expected. Whoever loads a
// policy refuses what cannot be read here, and whoever carries out plans asks the values.
//
// It decides about no object, and has no clock.
package bounds
