#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# How the driver answers a server that breaks the UAPI's rules: see tests/guest/uapi.c.

. tests/guest/lib/guest.sh

run_program uapi
