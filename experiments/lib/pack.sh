#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pack.sh RAW FILE: keep a boot's raw data as FILE (.tar.xz), the same bytes for the same data. `tar
# -x` undoes it.

set -euo pipefail

mkdir -p "$(dirname "$2")"
tar -C "$1" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@0 --format=ustar -c . | xz -6 -T1 >"$2"
