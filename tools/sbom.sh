#!/bin/sh
# Writes dist/gardesh.cdx.json: what a Gardesh that is installed from requirements.lock is made of (CycloneDX 1.6), with versions,
# licences and what needs what. The same lock gives the same bytes, on one platform and Python.
set -eu
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
tool=$venv/sbom-tool run=$venv/sbom-run
[ -x "$tool/bin/cyclonedx-py" ] || {
    "$venv/bin/python" -m venv "$tool"
    "$tool/bin/python" -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
}
# What runs, and nothing else: not the tools of development, nor pip.
"$venv/bin/python" -m venv --clear --without-pip "$run"
"$venv/bin/python" -m pip --python "$run/bin/python" install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
mkdir -p dist
"$tool/bin/cyclonedx-py" environment "$run/bin/python" --pyproject pyproject.toml --mc-type application \
    --spec-version 1.6 --output-reproducible --validate --output-file dist/gardesh.cdx.json
rm -rf "$run"
"$venv/bin/python" -c '
import json, sys
made = json.load(open("dist/gardesh.cdx.json"))
print("dist/gardesh.cdx.json: CycloneDX", made["specVersion"], "with", len(made["components"]), "components")'
