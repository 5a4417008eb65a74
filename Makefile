# Needs Go, git and make; nothing else.

SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c

BIN     := bin/holdfast
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Everything is built alike, so that tests, holdfast and the programs of the control plane share compiled packages.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath $(GOFLAGS)
export KEEP

.DEFAULT_GOAL := help
.PHONY: help build test unit e2e control-plane demo bench bench-scale differential conformance lint lint-full fmt generate docs-check release

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/holdfast
	go build -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/holdfast

test: unit e2e ## run all tests: first the units, then against a real control plane

unit: ## run the tests that need no control plane
	@command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || \
		echo '==> PostgreSQL is not installed: the tests of the ledger on it are left out'
	@command -v promtool >/dev/null || echo '==> Prometheus is not installed: the tests of alerts are left out'
	@echo '==> tests of the module (compiling first: some minutes the first time)'
	go test -timeout 10m ./...

control-plane: ## build etcd, Kubernetes and kwok from source, once: ten minutes on two cores
	@echo '==> waiting for the programs of the control plane (built once, then cached)'
	cd e2e && go run ./cmd/controlplane -build-only

e2e: control-plane ## run the tests against a real control plane
	@echo '==> compiling the tests against a real control plane'
	@cd e2e && go test -run '^$$' ./... >/dev/null
	@echo '==> running them, one package after the other; each says what it waits for'
	cd e2e && go test -timeout 60m -p 1 -v ./... | grep --line-buffered -v '^=== '

demo: ## watch a violation refused, drift found and mended; KEEP=1 leaves it all running
	@echo '==> building what the demo needs (the control plane takes ten minutes the first time)'
	cd e2e && go run ./cmd/demo

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./bench/...

OBJECTS ?= 10000

bench-scale: ## measure the audit on a control plane: OBJECTS=10000 SCALE='-rate 50 -o json'
	@echo '==> building what it needs (the control plane takes ten minutes the first time)'
	cd e2e && go run ./cmd/scale -objects $(OBJECTS) $(SCALE)

differential: ## compare the engine with Kyverno's own on generated inputs (builds the peer: minutes the first time)
	cd bench/peers && go test -timeout 45m -v ./...

# Suites of Kyverno CLI test files: Kyverno's own, and a library of policies beside the checkout. An empty one is
# told to be absent, and docs/conformance.md is then left as it is.
KYVERNO_SUITE  ?= $(shell go list -m -f '{{.Dir}}' github.com/kyverno/kyverno)/test/cli
POLICY_LIBRARY ?= $(wildcard $(CURDIR)/../shared/conformance/policy-library)

conformance: build ## run Kyverno CLI test files and write docs/conformance.md: KYVERNO_SUITE=DIR POLICY_LIBRARY=DIR
	cd e2e && go run ./cmd/conformance -holdfast ../$(BIN) -o ../docs/conformance.md \
		"Kyverno's CLI suite=$(KYVERNO_SUITE)" "Policy library=$(POLICY_LIBRARY)"

release: ## make dist/: programs for linux, SBOMs, checksums, the kubectl plugin's manifest; VERSION=v1.2.3
	VERSION='$(VERSION)' COMMIT='$(COMMIT)' release/build.sh

docs-check: ## run the commands that documents print, and follow their links (make unit does too)
	go test ./docs/... ./cmd/holdfast -run 'Documents|Links|Blocks|Steps|Index|Pipelines|Reference'

lint: ## check format and vet; fast, needs nothing but Go
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "not formatted (make fmt):"; echo "$$files"; exit 1; }
	go vet -tags e2e ./...
	cd e2e && go vet ./...

lint-full: lint ## the same, and golangci-lint (built from source at the pinned version)
	go run $(GOLANGCI_LINT) run ./...

fmt: ## format all Go files
	gofmt -w $$(git ls-files '*.go')

generate: ## write the CRDs, dashboards, docs/cli.md and the references of functions anew
	go generate ./...
	go test ./charts -run TestTheTableOfValuesIsUpToDate -update
	go test ./cmd/holdfast -run TestTheReferenceIsUpToDate -update
	go test ./api/v1alpha1 -run TestTheReferenceIsUpToDate -update
	go test ./engine/expr/jmesfn -run TestTheFunctionReferenceIsUpToDate -update
	go test ./engine/cel -run TestTheFunctionReferenceIsUpToDate -update
