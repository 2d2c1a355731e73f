#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plugins that hang, in a daemon that has others to serve: see test-stuck.c.
. "${srcdir:-.}/tests/hostile/run.sh"
GOTGT_PLUGIN_PATH=$GOTGT_PLUGIN_PATH:${G_TEST_BUILDDIR:-$PWD/tests}/mods/.libs
start stuck
