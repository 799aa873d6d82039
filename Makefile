# One verb per task, the same for people and for CI.
.DEFAULT_GOAL := help
.PHONY: help setup demo test acceptance endurance chaos up bench lint format

BIN := .venv/bin
INSTALLED := .venv/.installed

help: ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-12s %s\n", $$1, $$2 }'

setup: $(INSTALLED) ## install everything into .venv and node_modules

$(INSTALLED): requirements.txt requirements-dev.txt constraints.txt lid_worker/requirements.txt gpu_worker/requirements.txt pyproject.toml package-lock.json scripts/setup
	@scripts/setup
	@touch $@

demo: setup ## start the stack, send recordings through it, check and print what comes out
	@$(BIN)/python -m local_stack.demo

test: setup ## lint, types, import rules, and all tests but the long ones
	@scripts/test

acceptance: setup ## the long tests: kills, crash points, faults, upgrades
	@$(BIN)/python -m pytest -q -n 2 --no-loadscope-reorder -m "acceptance_long and not alone"
	@$(BIN)/python -m pytest -q -m "acceptance_long and alone"

endurance: setup ## more seeds of faults and long fuzzing, many minutes; FUZZ_SECONDS per surface in the environment
	@$(BIN)/python -m pytest -q -m endurance

chaos: setup ## kill processes while jobs run, then compare with an undisturbed run: KILLS=30 SEED=1
	@$(BIN)/python -m tests.faults.chaos $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

up: setup ## start the stack for real speech and keep it running; ARGS="--port 8071" and the like
	@exec $(BIN)/python -m local_stack.launcher $(ARGS)

bench: setup ## run the benchmarks, or one: NAME=broker
	@$(BIN)/python -m benchmarks $(NAME)

lint: setup ## ruff, mypy and the import rules
	@$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/lint-imports

format: setup ## let ruff format and fix
	@$(BIN)/ruff format && $(BIN)/ruff check --fix
