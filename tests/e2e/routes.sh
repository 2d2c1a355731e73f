#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every method of every path of /openapi.json, good and bad, over the control socket: routes.py.
. "${srcdir:-.}/tests/tap.sh"
tap_need curl python3
export LC_ALL=C
python3 "${srcdir:-.}/tests/e2e/routes.py" "$gotgt" "$tap_tmp"
exit $?
