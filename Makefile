# `make demo` and `make test` are all that a newcomer needs: Python 3.11 to 3.13 and make.
#   PYTHON=python3.12 make test                                   another Python
#   N=1000 make torture                                           random kills; torture.jsonl keeps the results
#   TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu make demo   the CPU build of torch (200 MB instead of several GB)

PYTHON ?= python3
VENV := .venv
JOBS ?= 2
N ?= 20
PIP_FLAGS := $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL),)

.PHONY: demo test lint unit torture bench clean

demo: $(VENV)/installed
	$(VENV)/bin/trainer --trackers swanlab,csv

test: lint unit

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

unit: $(VENV)/installed
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal -m "not alone and not torture"
	$(VENV)/bin/python -m pytest -m "alone and not torture" --reruns 1

torture: $(VENV)/installed
	$(VENV)/bin/python -m tests.torture --trials $(N) --jobs 2
	$(VENV)/bin/python -m pytest -m torture

bench: $(VENV)/installed
	$(VENV)/bin/python bench/log_call.py
	$(VENV)/bin/python bench/start_up.py
	$(VENV)/bin/python bench/politeness.py
	$(VENV)/bin/python bench/six_trackers.py
	$(VENV)/bin/python bench/trainer.py

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e ".[all,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
