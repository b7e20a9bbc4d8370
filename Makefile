# Short names for the usual commands; each sets up .venv by itself when that is needed.
PYTHON ?= python3

.PHONY: check demo format

check:  ## all checks and all tests
	$(PYTHON) scripts/run_tests.py

demo:  ## run task_specific_files/network_monitoring
	$(PYTHON) scripts/first_run.py

format:  ## let ruff format the code and mend what it can
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
