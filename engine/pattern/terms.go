package pattern

// Term is one operator of a leaf with its operand, for who writes the leaf in another language.
type Term struct {
	// Operator is as it is written: empty for plain text, !, >, <, >=, <=, - for a range and !- for what is outside of one.
	Operator string
	// Operand may hold wildcards; of a range it is the lower bound, and Upper the upper.
	Operand, Upper string
	// Duration and Quantity say what the operand reads as; it may be both, as 10m is.
	Duration, Quantity bool
}

// Terms gives the parts of a text: one of the lists must hold, and of a list each term. Nil for a leaf that is no text.
func (s Scalar) Terms() [][]Term {
	var out [][]Term
	for _, all := range s.anyOf {
		terms := make([]Term, len(all))
		for i := range all {
			c := &all[i]
			terms[i] = Term{Operator: c.op.String(), Operand: c.left.text, Duration: c.left.isDuration, Quantity: c.left.isQuantity}
			if c.right != nil {
				terms[i].Upper = c.right.text
				terms[i].Duration = terms[i].Duration || c.right.isDuration
				terms[i].Quantity = terms[i].Quantity && c.right.isQuantity
			}
		}
		out = append(out, terms)
	}
	return out
}
