# Three words: make submission, make test, make env.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete

.PHONY: env submission test test-cpus torture test-cluster check schema docs benchmarks

submission: env
	$(BIN)/snakemake --cores all submission

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("lymphokit needs Python 3.11 or newer: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $(STAMP)

test: env
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not cluster' --numprocesses 2 --dist loadgroup --no-loadscope-reorder

# The main job on a SLURM cluster of this machine: `apt install slurm-wlm munge`, and the extra `slurm`.
test-cluster: env
	$(BIN)/pip install --quiet --quiet --constraint constraints.txt --editable '.[slurm]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m cluster

# Tests that train a network, with the rounding of four other CPUs.
test-cpus: env
	$(call trains,ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2)
	$(call trains,ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16)
	$(call trains,ONEDNN_MAX_CPU_ISA=AVX512_CORE)
	$(call trains,ONEDNN_MAX_CPU_ISA=AVX2)

# Every reader on damaged and crafted inputs, each with a bound on time and memory; prints the counts.
torture: env
	PYTHONPATH=src OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile.run --each 200

define trains
@echo '== $(1)'
@env $(1) OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet -m trains --numprocesses 2
endef

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

# Every claim of speed, about half an hour on two cores that do nothing else: docs/benchmarks.md.
benchmarks: env
	-$(BIN)/pip install --quiet --quiet --constraint constraints.txt torchmil
	$(BIN)/python benchmarks/run_all.py

schema: env
	$(BIN)/python -c 'from lymphokit.config import schema; print(schema(), end="")' > workflow/schemas/config.schema.json

# The documentation, as pages that open from disk: site/index.html.
docs: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
