// Package doctest holds documents in Markdown to what they say. A document comes in, and out come its blocks of commands
// with what they print, what went otherwise when they were run, and the links that lead nowhere. It is for tests: the
// program has no part of it, and a link to another site is never followed.
//
// A block of commands is fenced as sh and is run, one block after the other, in one folder for each document. A block
// without a language that follows it is what it prints, on standard output and standard error; a line ... in it stands for
// any lines, and ... in a line for anything in it. A word behind sh says who runs it: ```sh cluster for a test with a control plane, ```sh by-hand for nobody,
// since it takes a cluster of one's own, a terminal or half an hour.
package doctest
