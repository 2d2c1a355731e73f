#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Peers that misbehave, each kind for HOSTILE_SECONDS (1), what others keep is HOSTILE_RATIO (0.8): see test-hostile.c.
. "${srcdir:-.}/tests/hostile/run.sh"
start hostile "${HOSTILE_SECONDS:-1}" "${HOSTILE_RATIO:-0.8}"
