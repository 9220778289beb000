# Two commands matter: `make demo` and `make test`. Both set up all they need in .venv.
.PHONY: demo test lint bench clean lock
export PIP_DISABLE_PIP_VERSION_CHECK = 1

demo: .venv/.ready
	@.venv/bin/poise demo

test: .venv/.ready-dev
	@bash tools/servers.sh
	@.venv/bin/python -m pytest -q

lint: .venv/.ready-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/.ready-dev
	@for file in benchmarks/*.py; do echo "== $$file"; .venv/bin/python $$file || exit 1; done

lock:
	sh tools/lock.sh

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: requirements.lock pyproject.toml tools/venv.sh
	@sh tools/venv.sh requirements.lock
	@touch $@

.venv/.ready-dev: requirements-dev.lock pyproject.toml tools/venv.sh
	@sh tools/venv.sh requirements-dev.lock
	@touch $@ .venv/.ready
