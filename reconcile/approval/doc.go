// Package approval makes sure that who decided about a plan is who it says. Reviews of writes of Remediations come in; a
// write that decides, lets go on or asks for a rollback goes out with the user of the request, the time and a stamp in it,
// whatever its author had written there, or is refused. Later, the stamp tells what was written so from what was not.
//
// It changes nothing in the cluster itself, and carries nothing out.
package approval
