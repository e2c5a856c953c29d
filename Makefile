# Two commands on a fresh machine with Python 3.11+ and make:
#   make demo    set up .venv, simulate a dataset, ingest it, print what came out, stream a batch
#   make test    set up what the tests need, then lint, types, import layers and all tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv does not read pip's find-links by itself; a machine that sets them has its wheels there.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Bytecode is kept, and made at installation: a process that compiles what it imports spends 10 s
# on it, and the demo starts three of them.
export PYTHONDONTWRITEBYTECODE :=
UV_INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(VENV) --constraint constraints.txt
# The tests may set any number of threads; one per process keeps two workers from fighting.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: demo test check lock clean

demo: $(VENV)/core.stamp
	$(BIN)/neuropair demo demo

test: check
	$(THREADS) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile
	$(THREADS) $(BIN)/python -m pytest -m slow

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv

$(VENV)/core.stamp: pyproject.toml constraints.txt | $(VENV)/bin/uv
	$(UV_INSTALL) --editable .
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/uv
	$(UV_INSTALL) --editable ".[dev,torch]"
	touch $@ $(VENV)/core.stamp

lock: | $(VENV)/bin/uv
	echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" > $(VENV)/uv.in
	echo "torch==2.13.0" >> $(VENV)/uv.in
	$(BIN)/uv pip compile --quiet --all-extras --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links pyproject.toml $(VENV)/uv.in --output-file constraints.txt
	# the CPU build's local version is not on the public index; 2.13.0 matches both
	sed -i 's/+cpu$$//' constraints.txt

clean:
	rm -rf $(VENV) demo
