# On a bare Debian 12 with git, make and a Rust toolchain every target works: what is missing is installed by
# scripts/deps, which says so.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 600
XC_SOAK ?= 500

BINARIES = xc-save xc-migrate xc-restore xc-migrate-receive xc-image xc-guest
RELEASE_DIR = $(or $(CARGO_TARGET_DIR),target)/release

.DEFAULT_GOAL = help
.PHONY: help run test lint bench fuzz doc install deps soak release

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: release ## Build, and show a live migration on this machine
	scripts/demo

test: ## Run every test
	scripts/deps test
	scripts/test

lint: ## Check form, lints, dependencies, documentation and where `unsafe` is
	scripts/deps lint
	scripts/lint

bench: ## Run the benchmarks
	scripts/deps build
	cargo bench --workspace

fuzz: ## Fuzz the stream readers, FUZZ_SECONDS (600) each
	scripts/deps fuzz
	scripts/fuzz $(FUZZ_SECONDS)

soak: ## Migrate XC_SOAK (500) times in a row
	scripts/deps build
	XC_SOAK=$(XC_SOAK) cargo test --release -p tests --test soak -- --nocapture

doc: ## Build the documentation of the code
	scripts/deps build
	cargo doc --workspace --no-deps

install: release ## Install the binaries in DESTDIR/PREFIX/bin (PREFIX is /usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BINARIES:%=$(RELEASE_DIR)/%) $(DESTDIR)$(PREFIX)/bin

deps: ## Install all that the targets need
	scripts/deps build test lint fuzz

release:
	scripts/deps build
	cargo build --release --workspace --bins
