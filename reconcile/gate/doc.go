// Package gate says whether a planned change may be made now. What is known of the change, of its object and of what was done
// before comes in as Facts; a Verdict of each gate comes out, with a reason and, where that is known, the time to look again.
//
// The gates are small functions in one visible list (Gates). They ask nobody, write nothing and have no clock; what is not
// known stops, and never lets through. What was done before is computed from the Remediations of the cluster (Remember), and
// from nothing else.
package gate
