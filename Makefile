# The commands of a checkout; `make help` lists them. Nothing is needed beyond make, git and a Python from 3.11 on.

BIN := .venv/bin
LIVE := .local/live
CHART_TOOLS := .local/chart/bin
QUICK := not slow and not helm and not container and not browser and not node and not promtool and not faults
CANDIDATES := $(PYTHON) $(wildcard $(BIN)/python) python3.13 python3.12 python3.11 python3 python
# Asks each candidate itself: a name on PATH may be a shim without a Python behind it.
FIND_PYTHON = for each in $(CANDIDATES); do \
		"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { found=$$each; break; }; done; \
	[ -n "$$found" ] || { echo "No Python from 3.11 on was found (tried: $(CANDIDATES))." \
		"Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
OURS = pyproject.toml deploy/requirements.in
UV ?= uv

.DEFAULT_GOAL := help
.PHONY: help demo up down test check chart mutation faults soak screenshots bench schemas sbom image lock runtime development

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: runtime ## play the story and a month of flights on a system that is left up
	@$(BIN)/makegood demo

up: runtime ## start a system on the live clock, its data in .local/live
	@MAKEGOOD_DATA=$${MAKEGOOD_DATA:-$(LIVE)} $(BIN)/makegood up

down: ## stop what demo and up started
	@[ ! -x $(BIN)/makegood ] || { $(BIN)/makegood down && MAKEGOOD_DATA=$(LIVE) $(BIN)/makegood down; }

test: development ## run the quick tests, on a real Kafka and a real PostgreSQL (ARGS=... for pytest)
	@$(BIN)/pytest --numprocesses=2 --dist=loadfile -m "$(QUICK)" $(ARGS)

check: development ## check style, types, boundaries and the generated schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	$(BIN)/hadolint deploy/Dockerfile deploy/containers/stand-ins.Dockerfile
	$(BIN)/python -m contracts.generate --check

chart: development ## check the Helm chart: lint, render, hold against Kubernetes' schemas (needs Go 1.26 or later)
	@command -v go >/dev/null || { echo "Go was not found, and Helm is built with it: install Go 1.26 or later" >&2; exit 1; }
	@[ -x $(CHART_TOOLS)/kubernetes-validate ] || { echo "[chart] fetching Kubernetes' schemas" && $(BIN)/python -m venv .local/chart \
		&& $(CHART_TOOLS)/pip install --quiet --require-hashes -r deploy/requirements-chart.lock; }
	@[ -x $(CHART_TOOLS)/helm ] || { echo "[chart] building Helm" && cd deploy/helm/tools && GOBIN=$(CURDIR)/$(CHART_TOOLS) go install tool; }
	@$(BIN)/pytest -m helm tests/local/test_chart.py $(ARGS)

mutation: development ## seed bugs into the judge and the calendars; do the tests notice? (ARGS="--sample 200")
	@$(BIN)/python -m tests.mutation $(ARGS)

faults: development ## do every fault of the matrix to a running system; nothing may be lost, doubled or false (an hour; ARGS="--rows 5,9")
	@$(BIN)/python -m tests.faults run $(ARGS)

soak: development ## the same again and again, with other seeds, added to the same table (ARGS="--hours 8")
	@$(BIN)/python -m tests.faults soak $(ARGS)

screenshots: development ## every page at three widths, light and dark, into .local/screenshots (needs Chromium)
	@command -v chromium >/dev/null || [ -n "$$MAKEGOOD_CHROMIUM" ] || { echo "Chromium was not found; install it (Debian: apt-get install chromium)," \
		"or name it: MAKEGOOD_CHROMIUM=/path/to/chromium make screenshots" >&2; exit 1; }
	@$(BIN)/python -m tests.browser.screenshots

bench: development ## measure the flow, cases and the rest beside the limits of this machine
	@$(BIN)/python -m bench

bench-large: development ## what ten million open commitments cost
	@$(BIN)/python -m bench open --open 10000000

schemas: development ## write the schemas and API documents anew from the models
	@$(BIN)/python -m contracts.generate

sbom: development ## write what the services are made of, with licences, as CycloneDX into sbom.json
	@$(BIN)/python -m deploy.sbom deploy/requirements-services.lock > sbom.json

image: ## build the container image (needs Docker)
	@command -v docker >/dev/null || { echo "Docker was not found; install it, or run the stack without it: make up" >&2; exit 1; }
	docker build --file deploy/Dockerfile --tag makegood:$(VERSION) $(ARGS) .

lock: development ## resolve all dependencies anew (needs uv)
	@command -v $(UV) >/dev/null || { echo "uv was not found: pip install uv, or make UV=/path/to/uv lock" >&2; exit 1; }
	$(LOCK) $(OURS) -o deploy/requirements-services.lock
	$(LOCK) $(OURS) --extra local -c deploy/requirements-services.lock -o deploy/requirements.lock
	$(LOCK) $(OURS) --extra local --extra dev -c deploy/requirements.lock -o deploy/requirements-dev.lock
	$(LOCK) deploy/requirements-node.in -o deploy/requirements-node.lock
	$(LOCK) deploy/requirements-chart.in -c deploy/requirements-dev.lock -o deploy/requirements-chart.lock
	$(BIN)/python -m deploy.local.jars

runtime development:
	@$(FIND_PYTHON); "$$found" deploy/bootstrap.py $@
