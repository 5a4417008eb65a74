package chainsaw

import "strings"

// rightsCondition is that of a policy in CEL which says whether the program may read what the policy is about.
const rightsCondition = "RBACPermissionsGranted"

// withoutRights takes out of what is asserted that rights are missing, and reports whether there was any of it. The
// libraries' tests know what Kyverno's own account may not read; which rights another installation has says nothing about
// the policy.
func withoutRights(v any) (rest any, found bool) {
	return strip(v, false)
}

// strip does it below a key that selects the condition, or for an item that is it.
func strip(v any, selected bool) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		if (selected || v["type"] == rightsCondition) && (v["reason"] == "Failed" || v["status"] == "False") {
			return map[string]any{"type": rightsCondition}, true
		}
		out, found := make(map[string]any, len(v)), false
		for key, value := range v {
			rest, is := strip(value, isExpression(key) && strings.Contains(key, rightsCondition))
			out[key], found = rest, found || is
		}
		return out, found
	case []any:
		out, found := make([]any, len(v)), false
		for i := range v {
			rest, is := strip(v[i], selected)
			out[i], found = rest, found || is
		}
		return out, found
	default:
		return v, false
	}
}

// AboutRights reports whether a test wants rights to be missing. The rest of it is run.
func (t *Test) AboutRights() bool {
	for _, step := range t.Steps {
		for _, o := range step.Try {
			if o.Assert == nil {
				continue
			}
			objects, err := t.objects(o.Assert)
			if err != nil {
				return false // as a reason to skip the test
			}
			for _, u := range objects {
				if _, found := withoutRights(u.Object); found {
					return true
				}
			}
		}
	}
	return false
}
