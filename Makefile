# On a bare Debian 12 with git, make and a Rust toolchain every target works: what is missing is installed by
# scripts/deps, which says so.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 600
XC_SOAK ?= 500
PLAN ?= quick

BINARIES = xc-save xc-migrate xc-restore xc-migrate-receive xc-image xc-guest xc-bench xc-pagemod
RELEASE_DIR = $(or $(CARGO_TARGET_DIR),target)/release
STATIC_DIR = $(or $(CARGO_TARGET_DIR),target)/static
# Xen's headers and libraries are no need of those who have no Xen; `scripts/deps xen` installs them.
XEN_FEATURES = $$(scripts/has-xen && echo --features xc-restore/xen)
HELPER_DIR = $(DESTDIR)$(PREFIX)/libexec/xc
DOC_DIR = $(DESTDIR)$(PREFIX)/share/doc/xc-migrate

.DEFAULT_GOAL = help
.PHONY: help run test lint bench micro-bench pagemod fuzz doc install copy deb deps soak release xen-test xen-bench

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: release ## Build, and show a live migration on this machine
	scripts/demo

test: ## Run every test, those on real Xen too (about 35 minutes on 2 cores)
	scripts/deps test
	scripts/test

xen-test: ## Run only the tests on real Xen, in an emulated machine
	tests/bed/run-tests

lint: ## Check form, lints, dependencies, documentation and where `unsafe` is
	scripts/deps lint
	scripts/lint

bench: release ## Measure the plan PLAN (quick) and draw it: runs/quick/report.html
	scripts/deps bench
	$(RELEASE_DIR)/xc-bench run $(PLAN)
	$(RELEASE_DIR)/xc-bench report runs/$(PLAN)

micro-bench: ## Run the micro-benchmarks of the data path
	scripts/deps build
	cargo bench -p bench --bench data_path

# With the features of `release`, so that only the program itself is built once more.
pagemod: ## Build target/static/xc-pagemod, one static binary for a guest's initramfs
	scripts/deps build
	cargo rustc --release -p bench --bin xc-pagemod $(XEN_FEATURES) -- -C target-feature=+crt-static
	install -D $(RELEASE_DIR)/xc-pagemod $(STATIC_DIR)/xc-pagemod

xen-bench: ## Compare with Xen's own save helper, in that machine
	tests/bed/run-bench

fuzz: ## Fuzz the stream readers, FUZZ_SECONDS (600) each
	scripts/deps fuzz
	scripts/fuzz $(FUZZ_SECONDS)

soak: ## Migrate XC_SOAK (500) times in a row
	scripts/deps build
	XC_SOAK=$(XC_SOAK) cargo test --release -p tests --test soak -- --nocapture

doc: ## Build the documentation of the code
	scripts/deps build
	cargo doc --workspace --no-deps

install: release ## Install commands, manual pages and completions below DESTDIR/PREFIX (/usr/local)
	@$(MAKE) --no-print-directory copy

copy:
	install -d $(DESTDIR)$(PREFIX)/bin $(DOC_DIR)
	install -m 755 $(BINARIES:%=$(RELEASE_DIR)/%) $(DESTDIR)$(PREFIX)/bin
	if scripts/has-xen; then install -D -m 755 -t $(HELPER_DIR) $(RELEASE_DIR)/libxl-save-helper; fi
	$(RELEASE_DIR)/xc-man $(DESTDIR)$(PREFIX)/share
	install -m 644 README.md docs/*.md docs/*.json packaging/xc-migrate.toml $(DOC_DIR)

deb: ## Make the Debian package
	scripts/deps xen
	@$(MAKE) --no-print-directory release
	packaging/deb

deps: ## Install all that the targets need
	scripts/deps build test lint fuzz

release:
	scripts/deps build
	cargo build --release --workspace --bins $(XEN_FEATURES)
