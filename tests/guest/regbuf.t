#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Mode regbuf: which bytes fixed I/O moves, and when a request with a registered buffer ends. See
# tests/guest/regbuf.c.

. tests/guest/lib/guest.sh

load
if ! ubdx features --json | jq -e '.driver_xfer_modes | index("regbuf")' >/dev/null; then
	fails "this kernel can't register a request's pages, so there is no mode regbuf" 1 "regbuf" \
		ubdx add --target mem --size 1M --xfer regbuf
	finish
	exit
fi
unload
run_program regbuf
