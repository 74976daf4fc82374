# make lab    JupyterLab with Jupyter Storage on this machine   (ARGS="--no-browser --port 8899")
# make test   everything that CI checks                         (PYTEST_ARGS="-m 'not ui' -k paths")

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
PYTEST_ARGS ?=
WORKERS ?= 2

BIN  := $(abspath $(VENV))/bin
# The environment's own Node.js (from PyPI) comes first: nothing needs one on the machine.
RUN  := PATH="$(BIN):$$PATH"
DEMO := demo

FRONTEND_SOURCES := $(shell find labextension -type f \
	-not -path '*/node_modules/*' -not -path '*/lib/*' -not -name '*.tsbuildinfo' 2>/dev/null)

.PHONY: lab test install lint format frontend-test peers clean help

help:
	@sed -n 's/^# //p' Makefile | head -2

lab: $(VENV)/.installed
	@mkdir -p $(DEMO)
	@test -e $(DEMO)/Welcome.ipynb || cp binder/Welcome.ipynb $(DEMO)/
	$(RUN) jupyter lab --ServerApp.root_dir="$(abspath $(DEMO))" \
		--LabApp.default_url=/lab/tree/Welcome.ipynb $(ARGS)

install: $(VENV)/.installed

# Two files of tests at a time: much of their time is waiting. Real servers and browsers on a busy
# machine are late at times: what fails is run once more, and the summary counts it as rerun.
test: $(VENV)/.installed-dev peers lint frontend-test
	$(RUN) CHROMIUM="$${CHROMIUM:-/usr/bin/chromium}" python -m pytest \
		--numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder \
		--reruns=1 $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	cd labextension && $(RUN) npm run --silent check
	cd labextension && $(RUN) npm run --silent lint

frontend-test: $(VENV)/.installed-dev
	cd labextension && $(RUN) npm run --silent test

format: $(VENV)/.installed-dev
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

# Programs that the tests talk to. Says what it cannot install; those tests are then skipped.
peers:
	@$(RUN) tests/install-peers.sh

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml $(FRONTEND_SOURCES)
	rm -rf jupyter_storage/labextension
	$(BIN)/python -m pip install --quiet --editable ".[lab]"
	@touch $@

# In one go with the product: two steps would let the second undo the first's choice of versions.
$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml $(FRONTEND_SOURCES)
	rm -rf jupyter_storage/labextension
	$(BIN)/python -m pip install --quiet --editable ".[lab]" --group dev
	cd labextension && $(RUN) npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $(VENV)/.installed $@

clean:
	rm -rf $(VENV) $(DEMO) dist jupyter_storage/labextension labextension/lib labextension/node_modules
