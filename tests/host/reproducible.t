#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# On the counting clock two runs of the same experiment give the same bytes: results.json and the
# table.

set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh

mkdir -p build
work=$(mktemp -d build/reproducible.XXXXXX)
trap 'rm -rf "$work"' EXIT

for run in 1 2; do
	experiments/compare/run.sh --quick --rows 'ubdx-null-copy' --results "$work/$run" >&2
done

for file in results.json table.txt; do
	ok "$file is the same to the byte" cmp "$work"/{1,2}/"$file"
done
finish
