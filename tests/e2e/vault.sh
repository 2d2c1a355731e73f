#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Secrets in the memory of a daemon, which core dumps do not get: vault.py.
. "${srcdir:-.}/tests/tap.sh"
tap_not_tsan
tap_need python3
export LC_ALL=C
python3 "${srcdir:-.}/tests/e2e/vault.py" "$gotgt" "$tap_tmp"
exit $?
