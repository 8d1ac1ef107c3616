#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pack.sh RAW FILE: pack the raw data in folder RAW as FILE (.tar.xz). The same data give the same
# bytes. `tar -x` unpacks FILE.

set -euo pipefail

mkdir -p "$(dirname "$2")"
tar -C "$1" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@0 --format=ustar -c . | xz -6 -T1 >"$2"
