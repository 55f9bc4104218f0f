# One list of commands for people, hooks and CI. Everything runs in .venv, which is built from requirements.lock.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help venv repro repro-all retrain propose pull-request promote report portfolio ui test test-story test-fast coverage browser lint graphs format lock bench-line bench-train bench-ablation bench-transfer bench-evaluate bench-compression bench-serve bench-report bench-lines bench-retrain screenshots clean

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false

# A release line: `.` is the default, NAME is pipelines/NAME.
LINE ?= .
FOLDER := $(if $(filter .,$(LINE)),.,pipelines/$(LINE))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## build .venv from requirements.lock; does nothing unless the lock changed
	@cmp -s requirements.lock .venv/installed.lock || $(MAKE) --no-print-directory install

.PHONY: install
install:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, python3 is " + sys.version.split()[0])'
	@echo "building .venv (about a minute; 6.7 GB with the CUDA libraries)"
	@test -x .venv/bin/python || python3 -m venv .venv
	@python -m pip install -q --disable-pip-version-check uv==$$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
	@# --compile-bytecode: where PYTHONDONTWRITEBYTECODE is set, every import of the stack takes 30 s instead of 11 without it
	@uv pip sync -q --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock \
		|| python -m pip install -q --no-deps --require-hashes -r requirements.lock
	@uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation --offline --editable .
	@cp requirements.lock .venv/installed.lock

repro: venv ## run the release line: raw bytes to a priced, packaged, tracked release (LINE=NAME for pipelines/NAME)
	@test -f $(FOLDER)/params.yaml || { echo "no release line '$(LINE)'; there are: . $(notdir $(wildcard pipelines/*))" >&2; exit 2; }
	@cd $(FOLDER) && duli check && dvc repro && duli show

repro-all: ## run every release line, one after the other
	@for folder in . pipelines/*/; do $(MAKE) --no-print-directory repro LINE=$$(basename $$folder) || exit; done

retrain: venv ## train again if a trigger asks for it, and judge the result (REASON=... in the environment runs every stage); fails only where duli does
	@cd $(FOLDER) && { duli retrain $${REASON:+--force "$$REASON"}; code=$$?; case $$code in 0|1|3) ;; *) exit $$code;; esac; }

propose: venv ## push what make retrain made to the branch duli/retrain; with GH_TOKEN, open or update its pull request
	@test -z "$$GH_TOKEN" || gh auth setup-git
	@cd $(FOLDER) && duli propose
	@test -z "$$GH_TOKEN" || test ! -f $(FOLDER)/reports/retrain/proposal.md || $(MAKE) --no-print-directory pull-request

BRANCH := duli/retrain$(if $(filter .,$(LINE)),,-$(LINE))
pull-request:
	@cd $(FOLDER)/reports/retrain && title=$$(cat title.txt) && number=$$(gh pr list --head $(BRANCH) --state open --json number --jq '.[].number') && \
		if test -n "$$number"; then gh pr edit "$$number" --title "$$title" --body-file proposal.md; \
		else gh pr create --head $(BRANCH) --title "$$title" --body-file proposal.md; fi

promote: venv ## let MLflow follow champion.json, after a proposal was merged
	@cd $(FOLDER) && { test -z "$$(dvc remote list)" || dvc pull --quiet --allow-missing; } && duli promote --merged

report: venv ## open the market and business report (after make repro)
	@cd $(FOLDER) && duli report

portfolio: venv ## compare all release lines that are built: reports/portfolio.html (builds nothing)
	@duli portfolio

ui: venv ## open the MLflow UI on loopback: releases as rows, headline metrics as columns
	@cd $(FOLDER) && duli ui

test: venv ## all tests but the story (a quarter of an hour on two cores)
	@pytest -n 3 --dist worksteal -m "not story"

test-story: venv ## retraining played from a clean main to a rollback, on real git, DVC and MLflow (six minutes of CPU, on two cores at once)
	@pytest -n 2 -m story

test-fast: venv ## tests that take less than a second each (at most 75 seconds)
	@pytest -n 2 --dist worksteal -m "not slow and not story"

coverage: venv ## branch coverage of duli/ and stages/ by all tests but the story; writes .coverage (half an hour)
	@rm -f .coverage .coverage.*
	@COVERAGE_FILE=$(CURDIR)/.coverage coverage run -m pytest -n 2 --dist worksteal -m "not story"; code=$$?; \
		coverage combine -q && coverage report; exit $$code

browser: ## install Debian's Chromium, which the tests of pages open; does nothing where there is a browser
	@test -n "$$CHROMIUM" || command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null || { \
		command -v apt-get >/dev/null || { echo "no apt-get here: install a Chromium, or name one with CHROMIUM=/path/to/it" >&2; exit 2; }; \
		sudo=$$(test "$$(id -u)" = 0 || command -v sudo) || { echo "apt-get install chromium has to be run as root" >&2; exit 2; }; \
		$$sudo apt-get update -qq && $$sudo apt-get install -y -qq chromium; }

lint: venv ## formatting, lint, strict types, workflow and template files
	@ruff format --check -q . && ruff check -q .
	@mypy
	@check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@check-jsonschema -q --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	@check-jsonschema -q --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci .gitlab-ci.yml
	@zizmor -q --offline .github/workflows

graphs: ## give every further line the graph of the root again
	@for line in pipelines/*/params.yaml; do cp dvc.yaml "$${line%params.yaml}dvc.yaml"; done

format: venv ## let ruff format and mend what it can
	@ruff format -q . && ruff check -q --fix .

lock: ## resolve pyproject.toml anew into requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade pyproject.toml --group dev -o requirements.lock

bench-line: venv ## measure the release line; writes benchmarks/results/line.json
	@python -m benchmarks.line

bench-train: venv ## measure training against what people run, kills, two processes; writes benchmarks/results/train.json
	@python -m benchmarks.train

bench-ablation: venv ## what each part of the recipe is worth; writes docs/ablation.md
	@python -m benchmarks.ablation

bench-transfer: venv ## what starting from another network is worth; writes docs/transfer.md
	@python -m benchmarks.transfer

bench-evaluate: venv ## measure evaluate, and its measures against other programs; writes benchmarks/results/evaluate.json
	@python -m benchmarks.evaluate

bench-compression: venv ## measure the file that ships against torch and float32, and find the smallest that reads 99.2 %; writes benchmarks/results/compression.json
	@python -m benchmarks.compression
	@python -m benchmarks.smallest

bench-serve: venv ## measure the server against others and against bad clients; writes benchmarks/results/serve.json
	@python -m benchmarks.serve

bench-report: venv ## measure the business report; writes benchmarks/results/report.json
	@python -m benchmarks.report

bench-lines: venv ## measure the further release lines; writes benchmarks/results/lines.json
	@python -m benchmarks.lines

bench-retrain: venv ## measure retraining: drift, nothing to do, and kills; writes benchmarks/results/retrain.json
	@python -m benchmarks.drift
	@python -m benchmarks.retrain

screenshots: venv browser ## take the pictures of docs/mlflow.md from the releases in mlruns/
	@python -m benchmarks.screenshots

clean: ## remove what runs made (the DVC cache and MLflow's runs stay)
	@rm -rf data/raw data/prepared models reports dist .checkpoints
