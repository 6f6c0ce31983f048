# Everything sets itself up: the first call of any target makes .venv and installs into it.
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q

.PHONY: app demo test lint check clean

app: $(VENV)/.run          ## open the studio on http://127.0.0.1:7860
	$(BIN)/python app.py

demo: $(VENV)/.run         ## render assets/prompts/demo.jsonl into outputs/demo
	$(BIN)/python -m studio batch assets/prompts/demo.jsonl --out outputs/demo

test: $(VENV)/.dev         ## all tests; warnings are errors
	$(BIN)/python -m pytest

lint: $(VENV)/.dev         ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test           ## what CI runs

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@echo "Installing Emotion Studio into $(VENV) (once; a few minutes) ..."
ifneq ($(TORCH_INDEX),)
	$(PIP) --index-url $(TORCH_INDEX) $$(grep '^torch==' requirements.txt)
endif
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(PIP) -r requirements-dev.txt
	@touch $@
