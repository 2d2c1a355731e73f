#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything at once for SOAK_SECONDS (10): see test-soak.c.
. "${srcdir:-.}/tests/hostile/run.sh"
start soak "${SOAK_SECONDS:-10}"
