# Everything runs in .venv, which the first target that needs it makes. Bare `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test lab dashboard notebooks book quiz slides wheel lint clean

ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif
PY := $(BIN)/python
READY := .venv/.ready

help: ## list the targets
	@echo "usage: make TARGET   (PYTHON=/path/to/python3 picks the interpreter that makes .venv)"
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

run: $(READY) ## set up, then execute notebooks 00-13 in order; results under build/run
	@$(PY) tools/notebooks/execute.py run notebooks/[0-9]*.ipynb

test: $(READY) ## set up, then the unit tests and every notebook against its stored output
	@$(PY) tests/chromium.py
	$(PY) -m pytest notebooks tests -n 2 --dist loadfile --no-loadscope-reorder --nbval --nbval-current-env \
	  --nbval-cell-timeout 300

lab: $(READY) ## open JupyterLab on the first notebook
	@[ "$$(id -u 2>/dev/null)" != 0 ] || echo "make: JupyterLab does not start for root, as its pages could change all of the machine: use an account of your own." >&2
	$(PY) tools/notebooks/lab.py notebooks/00_start_here.ipynb

dashboard: $(READY) ## serve the page on which a text and a picture are read, to this machine alone
	$(PY) -m mmsa_utils dashboard

notebooks: $(READY) ## execute the notebooks in place, make their solutions, normalise what they store
	@$(PY) tools/notebooks/solutions.py
	@$(PY) tools/notebooks/execute.py store notebooks/*.ipynb notebooks/solutions/*.ipynb

book: $(READY) ## build the notebooks, the guides and the reference as web pages, in build/book
	@$(PY) tools/publish/make_book.py

quiz: $(READY) ## write the quiz bank for learning platforms, as GIFT and as QTI, in build/quiz
	@$(PY) tools/publish/quiz.py

slides: $(READY) ## make a deck of slides for each notebook, as a web page and as PDF, in build/slides
	@$(PY) tools/publish/slides.py

wheel: $(READY) ## build dist/mmsa_utils-*.whl, weights included: one file to upload to Colab
	@$(PY) tools/publish/make_wheel.py

lint: $(READY) ## check style, types, spelling, and that rooms look down only
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(BIN)/lint-imports
	$(BIN)/codespell $$(git ls-files '*.py' '*.md' '*.ipynb' '*.toml' Makefile)

clean: ## remove .venv and everything that was built
	rm -rf .venv build dist docs/modules .hypothesis .pytest_cache .ruff_cache .mypy_cache .import_linter_cache *.egg-info
	find mmsa_utils tools tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The stamp is made last: an install that was broken off is taken up again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10))" 2>/dev/null || { \
	  echo "make: '$(PYTHON)' is not Python 3.10 or newer (it says: $$($(PYTHON) --version 2>&1))." >&2; \
	  echo "      Install a newer Python, or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PY) -c "" 2>/dev/null || $(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	  echo "make: '$(PYTHON)' cannot make a virtual environment." >&2; \
	  echo "      On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Installing what constraints.txt pins into .venv (the first time: a few minutes)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[notebooks,dashboard,heic,audio,onnx,scale,docs,test,dev]"
	@$(PY) -c "import matplotlib.font_manager"  # builds its cache now, and no notebook has to say that it does
	@touch $@
