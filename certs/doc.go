// Package certs brings the webhook its certificate and tells by which CAs it is verified. In flows the time,
// and what a Secret, a state directory or a directory of mounted certificates holds; out flow a TLS
// configuration whose certificate changes under way, and a CA bundle to be put into the webhook
// configurations. A Rotator is its own CA and renews both CA and certificate before they expire; a Directory
// serves what somebody else (cert-manager) renews.
//
// A certificate is never served before the CA that signed it has been in the bundle for a while, and no CA
// leaves the bundle before its last certificate is out of use: so no handshake fails on the way. DESIGN.md
// says how, and why this is not left to a library.
//
// The package never writes webhook configurations, never restarts the process, and never logs a key.
package certs
