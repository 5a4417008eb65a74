// Package postgres runs a PostgreSQL server of one's own on loopback, for a ledger that several programs share: a port flows
// in, a DSN flows out. It is killed and started again on the same data, as a database that crashes is. It imports nothing of
// the product.
package postgres
