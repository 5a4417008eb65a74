// Package app is what each command does: options and streams flow in, output and an exit code flow out. It
// is the only place that knows every package, and it wires them together; it neither judges objects nor
// reads policies itself, and it parses no command line.
package app
