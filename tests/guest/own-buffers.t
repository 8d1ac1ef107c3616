#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A server whose buffers are pages of its own device can't hang a request: see own-buffers.c.

. tests/guest/lib/guest.sh

run_program own-buffers
