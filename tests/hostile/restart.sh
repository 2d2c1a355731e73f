#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The daemon is stopped and killed RESTARTS (6) times under initiators that come back: see test-restart.c.
. "${srcdir:-.}/tests/hostile/run.sh"
start restart "${RESTARTS:-6}"
