# Two commands matter: `make demo` shows the whole mirror at work, `make test` tests it. `make help` lists the rest.

PYTHON ?= python3
DRY_RUN ?=
ONCE ?=
TESTS ?=
CHECKS := lock-check audit lint format-check types imports test

# Everything here starts many processes that import the same; without bytecode each of them compiles it anew.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv/bin
READY := .venv/.ready
LOCKS := requirements.lock infra/bootstrap.lock pyproject.toml infra/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help demo sandbox deploy test check lock-check audit lint format-check types imports lock venv clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make demo ONCE=1      end after one run, with its exit code"
	@echo "  make deploy DRY_RUN=1 only show what would change"
	@echo "  make test TESTS=...   pytest arguments, such as tests/domain or '-k layout'"
	@echo "  make PYTHON=...       the Python to create .venv with (3.11 or newer)"

demo: $(READY) ## mirror an hour in the sandbox: archive, S3 and Prefect on this machine, no account needed
	@exec $(VENV)/python -m infra.sandbox demo $(if $(ONCE),--once)

sandbox: $(READY) ## the same sandbox without a run, until Ctrl-C
	@exec $(VENV)/python -m infra.sandbox up

deploy: $(READY) ## register what deployments/ declares on the Prefect server of PREFECT_API_URL
	@exec $(VENV)/onc-mirror deploy $(if $(DRY_RUN),--dry-run)

test: $(READY) ## all tests
	$(VENV)/python -m pytest -n 2 --dist loadfile $(TESTS)

check: $(READY) ## all that a change must pass, and what of it failed: locks, audit, ruff, mypy, import contract, tests
	@failed=; for check in $(CHECKS); do \
	  echo "== $$check"; \
	  $(MAKE) --no-print-directory $$check || failed="$$failed $$check"; \
	done; \
	if [ "$$failed" ]; then echo "== FAILED:$$failed (one alone: make $${failed##* })" >&2; exit 1; fi; \
	echo "== all passed: $(CHECKS)"

lock-check: $(READY)
	$(VENV)/python infra/lock.py --check

audit: $(READY) ## known vulnerabilities of what runs in production; without a network it says that it knows nothing
	$(VENV)/python infra/audit.py

lint: $(READY)
	$(VENV)/ruff check

format-check: $(READY)
	$(VENV)/ruff format --check

types: $(READY)
	$(VENV)/mypy

imports: $(READY)
	$(VENV)/lint-imports

lock: $(READY) ## resolve pyproject.toml anew into the hash-pinned locks
	$(VENV)/python infra/lock.py

venv: $(READY) ## .venv, as the locks say
	@:

$(READY): $(LOCKS)
	@$(PYTHON) infra/bootstrap.py
	@touch $@

clean: ## remove .venv and what the sandbox has stored
	rm -rf .venv .sandbox
