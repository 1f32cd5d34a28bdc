# `make setup` makes everything on a fresh machine that has python3 (>= 3.11) and make.

PYTHON ?= python3
# pytest-xdist workers of `make test`
WORKERS ?= 2
# more arguments for pytest: make test ARGS='-k proxy'
ARGS ?=

UV := $(shell command -v uv 2>/dev/null || echo .venv-tools/bin/uv)
RUN := .venv/bin
PYTEST := $(RUN)/pytest

.PHONY: setup build pure demo test chaos soak bench lint format up down status clean

# Compiling is left to `build`, which keeps what it made; uv would compile all in a place of its own.
# The tests and the demo start services by the hundred: bytecode made once halves each start.
setup: $(UV)
	MYSYNC_PURE=1 $(UV) sync --frozen --quiet --compile-bytecode
	@$(MAKE) --no-print-directory build

.venv-tools/bin/uv:
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/pip install --quiet uv

# Compiled modules shadow the .py beside them: rebuilt whenever a source is newer, removed when there
# is no compiler to rebuild them with. A module that can't be compiled is an error here.
build:
	@if command -v "$${CC:-cc}" >/dev/null; \
	then MYSYNC_COMPILED="$${MYSYNC_COMPILED:-1}" $(RUN)/python setup.py --quiet build_ext --inplace; \
	else echo "no C compiler: the hot path stays pure Python, slower" >&2; $(MAKE) --no-print-directory pure; fi
	@$(RUN)/python -m compileall -q schemas runtime producer consumer lab

pure:
	@MYSYNC_PURE=1 $(RUN)/python setup.py --quiet build_ext --inplace
	rm -rf build/cython

lint:
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/lint-imports

format:
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

test: setup lint
	$(PYTEST) -n $(WORKERS) --dist loadgroup $(ARGS)

# For an hour at most; the timeout is each test's.
chaos: setup
	$(PYTEST) -m chaos --timeout 900 $(ARGS)

soak: setup
	$(PYTEST) -m soak --timeout 3600 $(ARGS)

bench: setup
	$(RUN)/python -m benchmarks $(ARGS)
	$(RUN)/python -m benchmarks.transfer

demo: setup
	$(RUN)/python -m mysync_lab.demo $(ARGS)

up: setup
	$(RUN)/python -m mysync_lab up $(ARGS)

down:
	$(RUN)/python -m mysync_lab down $(ARGS)

status:
	$(RUN)/python -m mysync_lab status $(ARGS)

# The lab's servers, data and downloads live outside the checkout and stay.
clean:
	rm -rf .venv .venv-tools build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find schemas runtime producer consumer lab \( -name '*.so' -o -name '*.egg-info' -o -name __pycache__ \) -prune -exec rm -rf {} +
	rm -rf *.egg-info
