#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The programs that turn raw data into claims are right: statistics, checks, tables, figures and
# generated text.

set -euo pipefail
cd "$(dirname "$0")/../.."

exec lab/in python3 -B tests/host/measurements.py
