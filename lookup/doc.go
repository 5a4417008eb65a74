// Package lookup answers what rules ask of the world beyond the request (engine.Lookups), on a live cluster.
//
// Questions flow in, and once the clients and what the operator allows; JSON values in the engine's model flow
// out, shared and not to be changed. Labels of namespaces, role bindings, ConfigMaps and whatever other kinds rules ask
// for are answered from watches, so that a request waits on nobody; Secrets and what may not be watched are read when
// asked. HTTP calls, global context entries and images of registries have bounds of time and size.
//
// It writes nothing. It sends our credentials to the API server and nowhere else, and no redirect changes that.
// Services are called only where the operator's list, empty by default, allows it; and no name, redirect or registry
// leads to a link-local, loopback or metadata address. It never takes "could not be told" for "no": every failure is
// an error, and only what was looked for and is not there is engine.ErrNotFound.
//
// Which of it a policy may ask for is not decided here but by the gate of the engine.
package lookup
