# The verbs of the project. `make` alone lists them; each does the set-up it needs.
# Asks for make, Python 3.11 to 3.13 and PyPI; everything else goes into .venv (and .uv).

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The version that wrote uv.lock. Used where PATH has no uv that is at least this new: an older one
# may not know the lock file's revision. Raise it when uv.lock is written anew.
UV_VERSION := 0.13.9
# Which Python makes .venv; empty: the newest supported one on PATH. Example: make setup PYTHON=python3.12
PYTHON ?=
# Given to pytest, leeway demo and leeway dev. Example: make test ARGS="-k drift"
ARGS ?=
# How often `make proof` repeats what `make test` does a few times. Example: make proof KILLS=100
KILLS ?= 10

# Only a Python that the machine already has.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
# Some wheels are large; uv's own limit is 30 seconds without an answer.
UV_HTTP_TIMEOUT ?= 120
export UV_HTTP_TIMEOUT
# Another environment that happens to be active is not ours.
unexport VIRTUAL_ENV
# Some containers set it; every process would then compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
export PYTHON UV_VERSION

STAMP := .venv/.leeway-setup
# Scripts in .venv and the installed project hold the folder's address: a folder that was moved or
# copied is set up anew instead of running the code of its old place.
ifneq "$(shell cat $(STAMP) 2>/dev/null)" "$(CURDIR)"
.PHONY: $(STAMP)
endif

.PHONY: help setup demo dev test proof check docs

help:
	@echo "make VERB, where VERB is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' Makefile | while read -r verb text; do printf '  %-7s %s\n' "$$verb" "$$text"; done

setup: $(STAMP) ## install what uv.lock names into .venv; nothing to do when nothing changed

demo: $(STAMP) ## materialize five use cases that ship, and show what came out
	@.venv/bin/leeway demo $(ARGS)

dev: $(STAMP) ## serve the Dagster UI, its daemon, the dbt docs and MLflow's UI on 127.0.0.1
	@.venv/bin/leeway dev $(ARGS)

# Twice as many processes as two cores, since many tests wait. So each calculates in one thread: a
# thread that waits for another one takes its turn from a process. `make proof` leaves the number to
# the libraries, as users have it.
test: $(STAMP) ## run the tests
	@OMP_NUM_THREADS=1 .venv/bin/pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

proof: $(STAMP) ## repeat many times what the tests kill a few times, and the long proofs; an hour or more
	@LEEWAY_KILLS=$(KILLS) .venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder -m faults \
	  --figures tests/faults/proof.txt $(ARGS)

# An instance of its own: dagster.yaml asks for the database, which a check has no need of.
check: $(STAMP) ## lint, format, types, and the definitions of the asset graph
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	@mkdir -p .venv/dagster && printf 'telemetry: {enabled: false}\n' > .venv/dagster/dagster.yaml
	DAGSTER_HOME="$$(pwd -P)/.venv/dagster" .venv/bin/dg check yaml
	DAGSTER_HOME="$$(pwd -P)/.venv/dagster" .venv/bin/dg check defs

docs: $(STAMP) ## write the dbt docs of the warehouse as one page
	@.venv/bin/leeway-dbt docs generate --static --quiet
	@echo "Open $${LEEWAY_HOME:-.leeway}/dbt/target/static_index.html; \`make dev\` serves the same."

# Finds a Python, then a uv, then syncs. A pyenv shim exists also for versions that it does not run,
# so each candidate must answer. An environment that works keeps its Python.
$(STAMP): pyproject.toml uv.lock
	@set -eu; \
	answers() { "$$1" -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13); print(sys.executable)' 2>/dev/null; }; \
	if [ -f $(STAMP) ] && [ "$$(cat $(STAMP))" != "$$(pwd -P)" ]; then rm -rf .venv; fi; \
	set -- .venv/bin/python python3.13 python3.12 python3.11 python3 python; \
	if [ -n "$$PYTHON" ]; then set -- "$$PYTHON"; fi; \
	python=; \
	for candidate do if python=$$(answers "$$candidate"); then break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11, 3.12 or 3.13 answers as any of: $$*. Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	recent='import sys; has, want = (tuple(map(int, v.split("."))) for v in sys.argv[1:]); sys.exit(has < want)'; \
	if uv=$$(command -v uv) && has=$$(uv --version 2>/dev/null | cut -d ' ' -f 2) \
	  && "$$python" -c "$$recent" "$$has" "$$UV_VERSION" 2>/dev/null; then :; \
	else \
	  uv=.uv/bin/uv; \
	  if [ "$$($$uv --version 2>/dev/null | cut -d ' ' -f 2)" != "$$UV_VERSION" ]; then \
	    echo "Installing uv $$UV_VERSION into .uv"; \
	    rm -rf .uv; \
	    "$$python" -m venv .uv || { echo "$$python cannot make an environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	    .uv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary uv "uv==$$UV_VERSION"; \
	  fi; \
	fi; \
	"$$uv" sync --frozen --python "$$python"; \
	pwd -P > $(STAMP)
