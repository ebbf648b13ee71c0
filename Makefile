# The verbs. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= kagimori-data
LISTEN ?= 127.0.0.1:8567
CONSOLE ?= 127.0.0.1:8569

# Each file on one core, in its own order: its server is started once, and a failure comes again.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile -p no:randomly
LONG := tests/faults tests/oracle tests/protocol/test_ansible.py

.PHONY: help run test long check lint types arrows bench nightly lock clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.runtime ## Set up, make a deployment in DATA if there is none, and serve it
	@test -e $(DATA)/kagimori.db || $(BIN)/kagimori init --data $(DATA)
	@echo "Data:   $(DATA)"
	@echo "Use it: eval \"\$$($(BIN)/kagimori env --data $(DATA))\"; aws kms list-keys"
	@exec $(BIN)/kagimori serve --data $(DATA) --listen $(LISTEN) --console $(CONSOLE) --sign-in-link

test: $(VENV)/.test ## Set up and run the test suite
	$(PYTEST) $(addprefix --ignore ,$(LONG))

long: $(VENV)/.test ## Faults on purpose, duels of the two evaluators, and Ansible
	$(PYTEST) $(LONG)

check: lint types arrows test long ## What CI runs

lint: $(VENV)/.test ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test ## mypy, strict
	$(BIN)/mypy

arrows: $(VENV)/.test ## import-linter
	$(BIN)/lint-imports --no-cache

nightly: $(VENV)/.test ## The long duels, lives and fuzzing
	KAGIMORI_NIGHTLY=1 KAGIMORI_DUEL_EXAMPLES=200000 KAGIMORI_AUDIT_MUTATIONS=1000000 \
	  KAGIMORI_LIVES_EXAMPLES=1000 KAGIMORI_WRITE_POINT_EXAMPLES=5000 KAGIMORI_HSM_SEQUENCES=5000 \
	  $(BIN)/pytest -n 2 tests/oracle tests/fuzz tests/properties tests/faults/test_write_points.py

bench: $(VENV)/.bench ## Measure against limits and peers (needs wrk)
	$(BIN)/python bench/run.py

lock: ## Pin every dependency by hash, without addresses
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra test pyproject.toml -o requirements-test.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra test --extra bench pyproject.toml -o requirements-bench.txt

clean: ## Remove what was set up; deployments stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Dependencies by hash; the project itself from this folder, without asking for anything more.
$(VENV)/.runtime: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.test: requirements-test.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.txt
	@touch $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@
