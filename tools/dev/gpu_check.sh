#!/usr/bin/env bash
# gpu_check.py on a machine without a network: what is missing there comes from a folder of wheels.
#
# usage: tools/dev/gpu_check.sh WHEELS [ARGUMENTS OF gpu_check.py]
# The wheels are installed without their requirements into a folder of their own, which is removed
# at the end, and come before the packages that the machine's python3 has.
set -euo pipefail

repo=$(cd "$(dirname "$0")/../.." && pwd)
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$1"/*.whl
shift
PYTHONPATH="$repo:$site" python3 "$repo/tools/dev/gpu_check.py" "$@"
