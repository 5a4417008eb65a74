package approval

// Condition in CEL is of writes of Remediations that a Handler is to be asked about: those with something that people ask for,
// before or after. What Holdfast itself proposes has none of it, and needs no answer.
const Condition = `[object, oldObject].exists(r, r != null && has(r.spec) && (has(r.spec.approval) || has(r.spec.paused) || has(r.spec.pausedBy) || has(r.spec.rollback)))`
