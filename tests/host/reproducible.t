#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# On the count clock two runs of the same thing give the same bytes: results.json and the table.

set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p build
work=$(mktemp -d build/reproducible.XXXXXX)
trap 'rm -rf "$work"' EXIT

for run in 1 2; do
	experiments/compare/run.sh --quick --rows 'ubdx-null-copy' --results "$work/$run" >&2
done

failed=0 count=0
for file in results.json table.txt; do
	count=$((count + 1))
	if cmp "$work/1/$file" "$work/2/$file" >&2; then
		echo "ok $count - $file is the same to the byte"
	else
		echo "not ok $count - $file is the same to the byte"
		failed=1
	fi
done
echo "1..$count"
exit $failed
