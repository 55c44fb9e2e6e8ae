# Every target makes what it needs; `make demo` on a fresh clone is the place to start.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test setup lock check clean image-check

demo: setup
	$(BIN)/azrunbook demo

test: setup
	$(BIN)/pytest -n 3 --dist loadfile -m "not alone"
	$(BIN)/pytest -m alone

# Only installs. uv is installed by pip, the rest by uv; hashes are checked.
setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		"$$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements.lock)"
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/azrunbook doctor --install
	touch $@

# After a change of pyproject.toml's dependencies.
lock:
	$(BIN)/uv pip compile --quiet pyproject.toml --extra sandbox --extra dev --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal \
		-o requirements.lock

# Builds app/Dockerfile with buildah and runs the image; pushes with each builder that is there.
# `make test` does it too, where buildah is there.
image-check: setup
	command -v buildah >/dev/null || { echo "needs buildah: apt-get install buildah" >&2; exit 1; }
	$(BIN)/pytest -m needs_buildah

check:
	bash .ci/run

clean:
	rm -rf $(VENV) .azrunbook
