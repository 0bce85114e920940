# make demo   set up everything in .venv and show the main job
# make test   run the tests that finish in minutes
# make help   everything else

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Hard links from uv's cache break nltk, which llama-index brings; copies work everywhere.
export UV_LINK_MODE := copy

.PHONY: help demo test slow check format schemas gallery wheel pins benchmark clean

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

$(VENV)/.ready: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet -r requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.ready ## show the main job on the embedded default
	$(BIN)/grounded demo

test: $(VENV)/.ready ## run the tests that finish in minutes
	$(BIN)/python -m pytest -m "not slow"

slow: $(VENV)/.ready ## run the crash, fuzz and real-server suites
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.ready ## lint, types, rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.ready ## write docs/schemas anew from the records
	$(BIN)/python -m grounded.records.schemas docs/schemas

gallery: $(VENV)/.ready ## write docs/gallery.md anew from the templates
	$(BIN)/python -m grounded.cli.gallery docs/gallery.md

wheel: $(VENV)/.ready ## build the wheel and try it where the source tree is out of reach
	.ci/wheel $(BIN)/python

pins: $(VENV)/.ready ## resolve requirements/dev.txt anew
	.ci/pins $(BIN)/uv

clean: ## remove what was built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
