// Package clitest reads and runs the test files of the Kyverno CLI (cli.kyverno.io/v1alpha1 Test, and the
// older forms without apiVersion and kind) on Holdfast's engine.
//
// The paths of test files flow in; a Report flows out, with one case for each resource of each expected
// result, in the order of the files and of what is written in them. A table, JSON or JUnit XML is written of
// it. What a test would have a cluster or a registry answer is answered from the files that the test names.
//
// A case passes only if the verdict that the file wants is the verdict of the engine. A policy, rule or
// resource that is not there fails its case, and a policy that uses what is not built skips it by the name of
// the part.
//
// The package reads the files that tests name and nothing else: no cluster, no network. It writes nothing but
// the report.
package clitest
