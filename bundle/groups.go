package bundle

// Kinds lists the kinds of an API group that are built: policies, and what stands beside them.
func Kinds(group string) []string { return builtKinds(group) }
