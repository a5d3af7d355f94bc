# Everything a developer, CI or a reader of the README runs. `make` alone lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test unit integration check lint format build release loop image image-test bench docs-check deps test-deps bench-deps clean

EXAMPLE ?= examples/crypto
# An import that Package.swift does not declare stops the build.
SWIFT_FLAGS ?= --explicit-target-dependency-import-check error
PYTEST = MLOPS_BINARY="$(CURDIR)/.build/debug/mlops" .build/venv/bin/python -m pytest IntegrationTests

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: deps release ## Install, build, run the whole loop once on generated trades, say what to look at
	.build/release/mlops all --quick --once --project $(EXAMPLE)
	@scripts/demo-notes $(EXAMPLE)

test: test-deps unit integration ## Install everything, then unit and integration tests

unit: ## Unit tests: no network, no sleep
	swift test $(SWIFT_FLAGS)

integration: test-deps ## Black-box tests of the built binary with real clients
	swift build $(SWIFT_FLAGS) --product mlops
	$(PYTEST) -m "not image"

check: deps lint build test loop docs-check ## What CI runs: lint, both builds, tests, documentation

lint: ## Formatting, file sizes, forbidden words, shell syntax
	scripts/lint

format: ## Rewrite the Swift sources in the project's format
	swift format --in-place --recursive --parallel Sources Tests Package.swift

build: deps ## Debug build; warnings are errors
	swift build $(SWIFT_FLAGS)

release: deps ## Optimised build: .build/release/mlops
	swift build $(SWIFT_FLAGS) --configuration release --product mlops

loop: release ## The whole loop once with the optimised build, on data that is thrown away
	data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && .build/release/mlops all --quick --once --project $(EXAMPLE) --data "$$data"

image: ## Container image with docker, podman or buildah; prints its size (ROLE= sets the default subcommand)
	scripts/image

image-test: test-deps ## Start the image's binary in its own root file system and ask for a prediction
	$(PYTEST) -m image

bench: bench-deps release ## Benchmarks, printed as ratios, against the committed thresholds
	Benchmarks/run

docs-check: ## Links and make targets that the documentation names exist
	scripts/docs-check

deps: ## System libraries that the build needs
	scripts/install-deps

test-deps: ## The same, and the Python clients of the integration tests
	scripts/install-deps --test-clients

bench-deps: ## The same as deps, and what the benchmarks measure with
	scripts/install-deps --bench-tools

clean: ## Remove build products and demo data; dependencies stay fetched
	rm -rf .build/debug .build/release .build/*-unknown-linux-gnu .build/image .build/venv dist mlops-data $(EXAMPLE)/.mlops
