// Package killswitch stops everything that would be done to objects, and lets it go on. The switch is a ConfigMap of one name in
// Holdfast's own namespace: while it is there, everything is stopped, whatever is in it. So it can be thrown with kubectl
// alone, it survives every restart, and whoever may write that ConfigMap may throw it.
//
// A Watcher follows it; Stop and Resume write it. Nothing else is read or written.
package killswitch
