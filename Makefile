# `make demo` and `make test` work on a fresh clone: each installs what is missing into .venv first.
PYTHON ?= python3
BIN := .venv/bin
BUILT := pyproject.toml setup.py $(wildcard src/warmstart/models/*.[ch]) src/warmstart/text/words.c

# Another processor: plain vector code in torch, AVX2 in oneDNN, MKL's code for any x86 processor, two threads.
OTHER := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=COMPATIBLE OMP_NUM_THREADS=2 GOMP_SPINCOUNT=5000

.PHONY: demo study test check check-portable check-oldest dist install dev clean

demo: .venv/.installed
	$(BIN)/warmstart demo

# Where pre-training pays: with how many labels, by which part, through which layers, over what one would use instead, and when
# it came to know what it knows. On the demo's model and task; or DATA=FOLDER of a known data set (TASK=NAME), from START=RUN.
LM := runs/demo/language-model
START ?= $(LM)
STUDIES := runs/study
JOBS ?= 2
ifdef DATA
TASK ?= $(notdir $(DATA:/=))
STUDY = --start $(START) --task $(TASK) --data $(DATA) --jobs $(JOBS) --trials $(STUDIES)/trials
VARY := head_init=random
else
DEMO := runs/demo/data
STUDY = --start $(START) --task classification --train $(DEMO)/train.jsonl --dev $(DEMO)/dev.jsonl --test $(DEMO)/test.jsonl \
	--length "45 steps" --evaluate-every "1 run" --lr 5e-4 --lm-weight 0 --dropout 0.1 --jobs $(JOBS) \
	--trials $(STUDIES)/trials
VARY := lm_weight=0.5
CURVE := $(STUDIES)/zeroshot
endif

study: $(if $(filter $(LM),$(START)),demo,.venv/.installed)
	$(BIN)/warmstart study labels --sizes 5,20,100% $(STUDY) --out $(STUDIES)/labels
	$(BIN)/warmstart study ablation --vary $(VARY) $(STUDY) --out $(STUDIES)/ablation
	$(BIN)/warmstart study layers $(STUDY) --out $(STUDIES)/layers
	$(if $(CURVE),$(BIN)/warmstart study zeroshot --start $(START) --task text --test $(DEMO)/dev.jsonl --out $(CURVE))
	$(BIN)/warmstart report $(STUDIES)/labels $(STUDIES)/ablation $(STUDIES)/layers $(CURVE) --out $(STUDIES)/report.html

# Two workers, a file of tests to one of them: with one thread each they take the time of the longer half.
test: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests as they would run on a processor that computes differently (docs/train.md).
check-portable: .venv/.dev
	$(OTHER) $(BIN)/python -m pytest

# The oldest dependencies that pyproject.toml allows, in an environment of their own: the tests that need no more than these.
OLDEST := build/oldest
OLDEST_ROOMS := base cli config example image metrics readers reporting run tasks text verbs_road verbs_labels verbs_sklearn verbs_arraylike
OLDEST_TESTS = $(shell grep -LE '(from|import) (transformers|onnx|huggingface_hub)|spacy|CLEANING_RULES' $(OLDEST_ROOMS:%=tests/rooms/test_%*.py))

check-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest -o filterwarnings=default $(OLDEST_TESTS)

$(OLDEST)/.installed: $(BUILT) .ci/oldest.py
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python .ci/oldest.py parquet zstd images tagging generation > $(OLDEST)/oldest.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -r $(OLDEST)/oldest.txt -e . pandas pytest hypothesis
	touch $@

# A wheel with kernels for this machine and Python, one without any for all machines (pip takes the first where it fits).
dist: .venv/bin/python
	rm -rf dist build/lib build/bdist.*
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	rm -rf build/lib build/bdist.*
	WARMSTART_KERNELS=0 $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

install: .venv/.installed
dev: .venv/.dev

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: $(BUILT) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e .
	touch $@

.venv/.dev: $(BUILT) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e '.[dev]'
	touch .venv/.installed $@

clean:
	rm -rf .venv build dist runs src/warmstart/models/_kernels*.so src/warmstart/text/_words*.so
