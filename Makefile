# SPDX-License-Identifier: GPL-3.0-or-later
# From a bare clone: `make demo` and `make test`, each alone, as often as you like.

SHELL := /bin/bash
PYTHON ?=
export PYTHON

VENV := .venv/bin/python
MATRIX := 4.2.23 4.5.15 5.2.3
REQUIREMENTS := requirements/torch.txt requirements/runtime.txt requirements/test.txt

.DELETE_ON_ERROR:
.PHONY: help venv demo test extension lint format test-gui test-matrix clean $(MATRIX:%=test-matrix-%)

help:
	@echo "make demo         build, install and run the extension headless on two characters; results in demo/"
	@echo "make test         backend and extension tests"
	@echo "make extension    dist/surface_features-<version>.zip"
	@echo "make lint         ruff and the type checker"
	@echo "make format       let ruff format the code"
	@echo "make test-gui     a real Blender window under Xvfb"
	@echo "make test-matrix  extension tests in Blender $(MATRIX)"

venv: .venv/complete

.venv/complete: $(REQUIREMENTS) tools/make_venv.sh tools/find_python.sh tools/check_libraries.py
	@tools/make_venv.sh .venv 3.11 $(REQUIREMENTS)
	@$(VENV) tools/check_libraries.py
	@touch $@

.venv-lint/complete: requirements/lint.txt tools/make_venv.sh
	@tools/make_venv.sh .venv-lint 3.11 requirements/lint.txt
	@touch $@

demo: .venv/complete
	@$(VENV) -m examples.demo

test: .venv/complete
	@$(VENV) -m pytest tests/backend tests/blender

extension: .venv/complete
	@$(VENV) tools/build_extension.py

lint: .venv-lint/complete
	@.venv-lint/bin/ruff check .
	@.venv-lint/bin/ruff format --check .
	@tools/check_types.sh

format: .venv-lint/complete
	@.venv-lint/bin/ruff check --fix .
	@.venv-lint/bin/ruff format .

test-gui: .venv/complete
	@tests/gui/run.sh

test-matrix: $(MATRIX:%=test-matrix-%)

# The engine runs on .venv: only Blender's own part is repeated on every version.
$(MATRIX:%=test-matrix-%): test-matrix-%: .venv/complete .venv-%/complete
	@echo "Blender $*"
	@SURFACE_FEATURES_PYTHON=$(abspath $(VENV)) .venv-$*/bin/python -m pytest tests/blender

.venv-%/complete: requirements/matrix-%.txt tools/make_venv.sh
	@tools/make_venv.sh .venv-$* $(if $(filter 5.2.%,$*),3.13,3.11) $<
	@.venv-$*/bin/python tools/check_libraries.py
	@touch $@

clean:
	rm -rf build demo dist .mypy_cache .pytest_cache .ruff_cache
