# make demo    see it work          make test    all tests (ARGS="-k name")      make check   style, types, floors
# make test-platform    the tests on containers, systemd, several hosts       make test-all    with the thorough ones
# make bench   measure              make lock    refresh requirements.lock       make clean   remove what make made
#
# PYTHON=python3.12 chooses the interpreter (3.11 or newer).

PYTHON ?= python3
ARGS ?=
# Four processes, each with whole files, since tests on real parts mostly wait; those first (tests/conftest.py), so that
# no process is left alone with them. SIDE_BY_SIDE= for one process.
SIDE_BY_SIDE ?= -n 4 --dist loadfile --no-loadscope-reorder

bin := .venv/bin
made := .venv/made

.DEFAULT_GOAL := help
.PHONY: help .venv demo test test-all test-platform check bench lock clean

help:
	@sed -n '1,5s/^# //p' Makefile

.venv: $(made)

# The marker is written last, so a set-up that was interrupted is done again. Everything that is installed,
# the build backend too, is in the lock with its hash; the project itself is added without looking anything up.
$(made): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "bluegreen needs Python 3.11 or newer, and '$(PYTHON)' is not. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(bin)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(bin)/pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation -e .
	@touch $@

demo: $(made)
	$(bin)/python -m bluegreen demo $(ARGS)

test: $(made)
	$(bin)/python -m pytest --ignore=tests/platform $(SIDE_BY_SIDE) $(ARGS)

test-all: export BLUEGREEN_TESTS = all
test-all: test

# As root: they make containers, machines and networks of their own. Those with control groups follow each other in one
# process, and those with hosts run beside them.
# BLUEGREEN_PLATFORM=all fails where a part is missing, instead of skipping. pytest's 5: it was asked for none of them.
test-platform: $(made)
	@hosts="tests/platform/test_ssh.py tests/platform/test_three_hosts.py"; code=0; \
	$(bin)/python -m pytest -o cache_dir=.pytest_cache/hosts $$hosts $(ARGS) & beside=$$!; \
	$(bin)/python -m pytest -o cache_dir=.pytest_cache/rest tests/platform $$(printf -- '--ignore=%s ' $$hosts) $(ARGS) || \
	  [ $$? -eq 5 ] || code=1; \
	wait $$beside || [ $$? -eq 5 ] || code=1; \
	exit $$code

check: $(made)
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy --strict
	$(bin)/python -m pytest -q tests/test_floors.py tests/test_project.py

bench: $(made)
	$(bin)/python -m benchmarks $(ARGS)

# Newer versions inside the ranges of pyproject.toml, for every platform and Python that it allows. Commit the result.
lock: $(made)
	$(bin)/uv pip compile --no-config --quiet --upgrade --universal --python-version 3.11 --all-extras \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv .demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find bluegreen tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
