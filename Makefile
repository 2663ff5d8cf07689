# Two commands: `make site` and `make test`. Everything lives in .venv; a stamp per tier makes a second call instant.
PYTHON ?= python3
BIN := .venv/bin
# Libraries are compiled as they are imported: most of their modules never are, and to compile all takes half a minute.
PIP := $(BIN)/pip install -q --no-compile --disable-pip-version-check
export PYTHONDONTWRITEBYTECODE :=
# What does not wait for each other is installed side by side.
MAKEFLAGS += -j2
# Processes that share the tests, each with a browser and models of its own: 1.5 GB.
WORKERS ?= 2
RUNTIME := miniature/shipping/runtime
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# The wheels that only a CUDA build of torch needs; torch itself asks for them where it has one.
CUDA_WHEELS := triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc \
	cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)

.PHONY: site web evidence test suite lint gpu lighthouse browser lock clean

site: .venv/.site
	$(BIN)/python build.py

# The model with which readers draw in their browsers: the next `make site` publishes it.
web: .venv/.site $(RUNTIME)/node_modules/.package-lock.json
	$(BIN)/python build.py miniature web

$(RUNTIME)/node_modules/.package-lock.json: $(RUNTIME)/package-lock.json
	npm ci --no-audit --no-fund --ignore-scripts --prefix $(RUNTIME)
	touch $@

evidence: .venv/.evidence

.venv/.site: requirements/site.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -r $<
	touch $@

.venv/.evidence: requirements/evidence.txt .venv/.site
	$(PIP) -r $<
	touch $@

.venv/.test: requirements/test.txt .venv/.site
	$(PIP) -r $<
	touch $@

test: suite lint

suite: .venv/.test browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/mypy

# What only a GPU can show, in ten minutes: every adapter and scorer on it, then the speed of the engine. Without
# --quick the second takes ten minutes itself.
gpu: .venv/.test
	$(BIN)/python -m pytest -q tests/evidence/test_scorers_accelerator.py tests/evidence/test_generators_accelerator.py
	$(BIN)/python benchmarks/generate.py --quick --out benchmarks/results/generate-gpu.md

# What Lighthouse says of the built site, with npm's lighthouse and the installed Chromium.
lighthouse: site benchmarks/lighthouse/node_modules/.package-lock.json
	$(BIN)/python benchmarks/lighthouse.py -o benchmarks/results/lighthouse.md

benchmarks/lighthouse/node_modules/.package-lock.json: benchmarks/lighthouse/package-lock.json
	npm ci --no-audit --no-fund --ignore-scripts --prefix benchmarks/lighthouse
	touch $@

APT := $(SUDO) apt-get install -y -qq --no-install-recommends

# Chromium and Firefox for the browser tests, axe for the accessibility ones, the runtime for the drawing page.
browser: tests/browser/node_modules/axe-core/axe.min.js $(RUNTIME)/node_modules/.package-lock.json
	command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome || \
	  { $(SUDO) apt-get update -qq && { $(APT) chromium-headless-shell || $(APT) chromium; }; }
	command -v firefox || command -v firefox-esr || { $(SUDO) apt-get update -qq && $(APT) firefox-esr; }

tests/browser/node_modules/axe-core/axe.min.js: tests/browser/package-lock.json
	npm ci --no-audit --no-fund --prefix tests/browser
	touch $@

# Needs uv: pins the three tiers for Python 3.11 to 3.13 on every platform.
lock:
	uv pip compile -q --universal --python-version 3.11 --no-header --annotation-style line pyproject.toml -o requirements/site.txt
	for tier in evidence test; do \
	  uv pip compile -q --universal --python-version 3.11 --no-header --annotation-style line \
	    $(addprefix --no-emit-package ,$(CUDA_WHEELS)) --extra $$tier pyproject.toml -o requirements/$$tier.txt || exit 1; \
	done

clean:
	rm -rf site .cache
