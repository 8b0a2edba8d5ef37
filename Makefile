# Two commands to begin with: `make run-local` assesses this machine, `make test` checks this checkout.
# Needs git, make and Python >= 3.11 with venv. Everything else is installed into .venv by these rules.

PYTHON ?= python3
INDEX   = simple-index
WORK    = .assess
ROOT    = $(INDEX)/metadata/1.root.json
BIN     = .venv/bin

# What pip is configured to do on this machine stays outside, unless ASSESS_PIP_CONFIG names a file to use.
export PIP_CONFIG_FILE = $(or $(ASSESS_PIP_CONFIG),/dev/null)
export PIP_FIND_LINKS =
export PIP_EXTRA_INDEX_URL =
export PIP_NO_INPUT = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_CACHE_DIR = $(if $(HOME),,1)
# The authorities this machine trusts, for a pip too old to ask the system for them.
export PIP_CERT := $(or $(PIP_CERT),$(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt)))
export UV_NO_CONFIG = 1
export PYTHONUNBUFFERED = 1
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

SDK_SOURCES    = $(shell find sdk/src sdk/pyproject.toml -type f -not -name '*.pyc')
SAMPLE_SOURCES = $(shell find contrib/sample_plugin/src contrib/sample_plugin/pyproject.toml -type f -not -name '*.pyc')
INVENTORY_SOURCES = $(shell find contrib/inventory/src contrib/inventory/pyproject.toml -type f -not -name '*.pyc')
CLOSURE        = $(WORK)/closure
SAMPLE_WHEEL   = $(WORK)/wheels/sample.stamp
INVENTORY_WHEEL = $(WORK)/wheels/inventory.stamp

.PHONY: help run-local test acceptance bench fix constraints hashes clean

help:
	@echo 'make run-local    build, publish, install and run the sample plugin: assess this machine'
	@echo 'make test         lint, types, layers, docs, unit and integration tests (every Python at hand)'
	@echo 'make acceptance   the commands as a user types them'
	@echo 'make bench        figures of docs/benchmarks.md'
	@echo 'make fix          let the tools repair what they can'
	@echo 'make constraints  refresh the versions in ci/constraints.txt, and then the digests'
	@echo 'make hashes       refresh the digests of those versions in ci/hashed, from the package index'
	@echo 'make clean        remove what these rules made; keys in $(WORK)/keys stay'

# ---- the environment ---------------------------------------------------------------------------------------------

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "assess needs Python >= 3.11; say which: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml sdk/pyproject.toml ci/constraints.txt | .venv/bin/python
	@echo 'installing assess into .venv (once)' >&2
	$(BIN)/python -m pip install -q -c ci/constraints.txt hatchling -e ./sdk -e '.[audit]'
	@touch $@

.venv/tox: ci/constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install -q -c ci/constraints.txt tox
	@touch $@

# ---- from source to signed result --------------------------------------------------------------------------------

$(CLOSURE)/sdk.stamp: $(SDK_SOURCES) .venv/installed
	@mkdir -p $(CLOSURE)
	@rm -f $(CLOSURE)/assess_plugin-*.whl
	$(BIN)/python -m pip wheel -q --no-deps --no-index --no-build-isolation -w $(CLOSURE) ./sdk
	@touch $@

$(CLOSURE)/pluggy.stamp: ci/constraints.txt .venv/installed
	@mkdir -p $(CLOSURE)
	@rm -f $(CLOSURE)/pluggy-*.whl
	$(BIN)/python -m pip download -q --no-deps --only-binary :all: -c ci/constraints.txt -d $(CLOSURE) pluggy
	@touch $@

$(SAMPLE_WHEEL): $(SAMPLE_SOURCES) .venv/installed
	@mkdir -p $(WORK)/wheels
	@rm -f $(WORK)/wheels/assess_host_baseline-*.whl
	$(BIN)/python -m pip wheel -q --no-deps --no-index --no-build-isolation -w $(WORK)/wheels contrib/sample_plugin
	@touch $@

$(INVENTORY_WHEEL): $(INVENTORY_SOURCES) .venv/installed
	@mkdir -p $(WORK)/wheels
	@rm -f $(WORK)/wheels/assess_inventory-*.whl
	$(BIN)/python -m pip wheel -q --no-deps --no-index --no-build-isolation -w $(WORK)/wheels contrib/inventory
	@touch $@

# One person has all the keys here, and the registry says so: it is for development.
$(ROOT): | .venv/installed
	@test -e $(INDEX)/registry.toml || cp $(INDEX)/registry.example.toml $(INDEX)/registry.toml
	$(BIN)/assess-registry init $(INDEX) --development --keys $(WORK)/keys

$(INDEX)/published.stamp: $(SAMPLE_WHEEL) $(CLOSURE)/sdk.stamp $(CLOSURE)/pluggy.stamp $(ROOT)
	$(BIN)/assess-registry publish $(WORK)/wheels/assess_host_baseline-*.whl --index $(INDEX) \
	    --keys $(WORK)/keys --closure $(CLOSURE) --replace-published-bytes
	@touch $@

# The provider of subjects from a file: nothing runs it here until assess.toml says so.
$(INDEX)/inventory.stamp: $(INVENTORY_WHEEL) $(INDEX)/published.stamp
	$(BIN)/assess-registry publish $(WORK)/wheels/assess_inventory-*.whl --index $(INDEX) \
	    --keys $(WORK)/keys --closure $(CLOSURE) --replace-published-bytes
	@touch $@

assess.toml: | .venv/installed
	$(BIN)/assess init --registry-url file:$(INDEX) --registry-root $(ROOT) --state-dir $(WORK)/state --development

# What the registry says is good for days only, so that nobody can go on showing what was true once: say it again.
run-local: $(INDEX)/published.stamp $(INDEX)/inventory.stamp assess.toml
	@find $(INDEX)/metadata/timestamp.json -mtime -1 | grep -q . || $(BIN)/assess-registry refresh --index $(INDEX) \
	    --online-key $(WORK)/keys/online/local.key --release-key $(WORK)/keys/release/local.key >&2 || true
	@$(BIN)/assess run --fail-on none --report oscal=$(WORK)/results/assessment-results.json \
	    --report json=$(WORK)/results/run.json
	@printf '%s\n' '' 'Next:' \
	    '  $(BIN)/assess run                  the same again; exits 3 while there are findings' \
	    '  $(BIN)/assess run --list-checks    what was looked at' \
	    '  $(BIN)/assess explain CHECK        what a check is about, and what to do' \
	    '  $(BIN)/assess results list         earlier runs' \
	    '  assess.toml                           what is assessed, with what; edit it' >&2

# ---- checks --------------------------------------------------------------------------------------------------------

# As many environments at a time as there are processors; what one of them prints is shown when it has ended.
test: .venv/tox
	ci/in-memory $(BIN)/tox run-parallel --parallel auto

acceptance: .venv/tox
	$(BIN)/tox run -q -e trestle,index-peer
	$(BIN)/tox run -e acceptance

bench: .venv/tox
	$(BIN)/tox run -e bench

fix: .venv/tox
	$(BIN)/tox run -e fix

constraints: .venv/installed
	$(BIN)/python -m pip install -q -c ci/constraints.txt uv
	@{ sed -n '/^#/p' ci/constraints.txt; \
	   printf '%s\n' "$(CURDIR)/sdk" "$(CURDIR)[dev,bench]" hatchling compliance-trestle simple-repository-server atheris | $(BIN)/uv pip compile -q --universal \
	       --no-config --no-header --no-annotate --python-version 3.11 --no-emit-package assess-plugin \
	       --no-emit-package assess-runtime - ; } > ci/constraints.new
	mv ci/constraints.new ci/constraints.txt
	$(MAKE) hashes

# What workflows install our commands with: every file of these versions by its digest, for any platform, from anywhere.
HASHED = $(BIN)/uv pip compile -q --universal --no-config --no-header --no-annotate --python-version 3.11 --generate-hashes \
    --only-binary :all: --no-emit-package assess-plugin --no-emit-package assess-runtime -c ci/constraints.txt -

hashes: .venv/installed
	@mkdir -p ci/hashed
	@for each in commands: audit:[audit]; do \
	    { printf '%s\n' '# Digests of what is installed beside our own wheels, and of what builds them. `make hashes` writes it anew.' && \
	      printf '%s\n' "$(CURDIR)/sdk" "$(CURDIR)$${each#*:}" hatchling | $(HASHED) ; } > ci/hashed.new && \
	    mv ci/hashed.new "ci/hashed/$${each%%:*}.txt" || exit 1; \
	done

clean:
	rm -rf .venv .tox $(WORK)/closure $(WORK)/wheels $(WORK)/state $(WORK)/results
	find $(INDEX) -mindepth 1 -maxdepth 1 -not -name registry.example.toml -not -name README.md -exec rm -rf {} +
