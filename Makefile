# The one door to Sandglass, for people and machines. Every target installs what it needs (scripts/need.sh), says what it
# is doing, and does only what has changed since the last time.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PORT ?= 8080
ROUNDS ?= 100
LEAVES ?= 50
SEED ?= $(shell date +%s)

# What the outputs are made from. A file that goes away changes nothing; `make clean` is for that.
engine_sources := $(shell find src -type f 2>/dev/null) Cargo.toml Cargo.lock .cargo/config.toml scripts/wasm.sh
package_sources := $(shell find www/src -type f 2>/dev/null) $(wildcard www/*.ts www/*.json www/*.mjs www/*.js www/*.md) LICENSE scripts/package.sh
page_sources := $(shell find www/page -type f 2>/dev/null) docs/QUERIES.md
docs_sources := $(shell find docs -type f 2>/dev/null) $(wildcard *.md examples/README.md www/docs/*.* www/docs/api/*)

.PHONY: help demo page test test-other-browsers test-firefox test-elsewhere kill-loop leave-loop soak fuzz fuzz-targets package wasm bench bench-restore screenshots picture clean

help: ## shows this list
	@echo 'Sandglass: a time-series storage engine in a browser tab. Targets:'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

demo: page ## builds all and serves the page on http://localhost:8080 (PORT= changes it)
	@scripts/demo.sh $(PORT)

test: ## everything that must pass; closes with "N passed, N failed"
	@scripts/test.sh

kill-loop: package ## kills browsers that write, ROUNDS= times at instants of a SEED=, and looks for what was acknowledged; STORAGE=opfs for one storage
	@scripts/need.sh npm chromium
	@source scripts/env.sh; CHROMIUM=$$(find_chromium) ROUNDS=$(ROUNDS) SEED=$(SEED) STORAGE=$(STORAGE) npm run --silent --prefix www test:kill

leave-loop: package ## reloads, leaves and closes pages that write, and ends their engines, LEAVES= times each (50), at instants of a SEED=
	@scripts/need.sh npm chromium
	@source scripts/env.sh; CHROMIUM=$$(find_chromium) LEAVES=$(LEAVES) SEED=$(SEED) npm run --silent --prefix www test:leave

test-other-browsers: package ## the package in Firefox ESR and WebKitGTK (BROWSER= chooses one), which takes six minutes
	@scripts/test_other_browsers.sh

test-firefox: ## the file systems' tests in Firefox ESR; its driver is built once, which takes minutes
	@scripts/test_firefox.sh

test-elsewhere: package ## the package in Rspack, Parcel, Next, Bun and Deno, which are fetched first (half a gigabyte)
	@scripts/test_elsewhere.sh

soak: ## simulates databases on failing disks for SOAK_SECONDS (3600), from the seed SIM_START on; prints figures every minute
	@scripts/soak.sh

fuzz: ## damages data directories for FUZZ_SECONDS (600), from the seed FUZZ_START on
	@scripts/fuzz.sh

fuzz-targets: ## runs the fuzz targets of every body format, of archives and of queries, FUZZ_SECONDS (600) each
	@scripts/fuzz_targets.sh $(ARGS)

package: dist/sandglass.tgz ## leaves the npm package at dist/sandglass.tgz

wasm: www/pkg/sandglass_bg.wasm ## builds the engine for the web into www/pkg/

page: dist/page/index.html dist/page/docs/index.html ## builds the page and the documentation into dist/page/

bench-restore: package ## measures restores of 10 M samples and of a tar of 1 GB (ARGS="--large 500" for another), and a look into it
	@scripts/bench.sh --tasks restore --data none --only sandglass --rounds 1 $(ARGS)

bench: package ## runs the benchmarks and prints ratios against the named peers (ARGS=--help lists options)
	@scripts/bench.sh $(ARGS)

screenshots: page ## takes pictures of each room in both themes and three widths into dist/screenshots/
	@scripts/need.sh npm chromium
	@source scripts/env.sh; CHROMIUM=$$(find_chromium) node www/test/page/screenshots.mjs $(ARGS)

picture: page ## takes the README's moving picture anew (needs img2webp, of Debian's package webp)
	@scripts/need.sh npm chromium
	@source scripts/env.sh; CHROMIUM=$$(find_chromium) node www/test/page/moving_picture.mjs

clean: ## removes everything that was built here, tools included
	rm -rf target dist .tools www/pkg www/dist www/LICENSE www/node_modules www/bench/node_modules www/docs/node_modules

www/pkg/sandglass_bg.wasm: $(engine_sources)
	@scripts/need.sh rust wasm-bindgen npm
	@echo 'building the engine for the web (one to three minutes)'
	@scripts/wasm.sh

dist/sandglass.tgz: www/pkg/sandglass_bg.wasm $(package_sources)
	@scripts/need.sh npm
	@echo 'building the package'
	@scripts/package.sh

# The page imports the package as a reader of its documentation would, so it is built from the finished package.
dist/page/index.html: dist/sandglass.tgz $(page_sources)
	@scripts/need.sh npm
	@echo 'building the page'
	@cd www && npm run --silent build:page
	@touch $@

# Building the page empties its folder, so the documentation comes after it.
dist/page/docs/index.html: dist/page/index.html $(docs_sources)
	@scripts/need.sh npm npm-docs
	@echo 'building the documentation'
	@node www/docs/build.mjs
