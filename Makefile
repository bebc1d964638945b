# Two commands for a newcomer: make demo, make test.
PY := .venv/bin/python
RUN := .venv/bin/marketplace
WORDS := marketplace/web/translations/zh_Hans_CN/LC_MESSAGES/messages

# Processes that start again and again, as tests' do, shall find compiled modules.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test check lock clean

install: .venv/.synced $(WORDS).mo .venv/.compiled  ## everything that the other commands need

.venv/.synced: .ci/requirements.txt pyproject.toml
	python3 -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed")'
	test -x $(PY) || python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --require-hashes -r .ci/requirements.txt
	VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(WORDS).mo: $(WORDS).po .venv/.synced
	.venv/bin/pybabel -q compile -d marketplace/web/translations

.venv/.compiled: .venv/.synced $(wildcard dispatch/*.py dispatch/engine/*.py dispatch/engine/kernel/*.py)
	@echo "compiling the dispatcher for this machine, about a minute, once"
	$(PY) -c "from dispatch import chain; from dispatch.engine import warm; warm.warm_up(); warm.warm_up_pricing(); chain.warm_up()"
	touch $@

demo: install  ## a whole city, planned and served at http://127.0.0.1:8000
	$(RUN) demo --serve

test: install  ## the whole suite on SQLite and PostgreSQL
	$(PY) -m pytest -n 3 $(ARGS)

check: install  ## style and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

lock:  ## pin what pyproject.toml asks for, with hashes and without an index address
	.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --no-header --no-annotate --group test --extra pdf pyproject.toml -o .ci/requirements.txt

clean:  ## forget the demo's database; the environment stays
	rm -rf instance
