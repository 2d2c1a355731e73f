#!/bin/sh
# SPDX-License-Identifier: @LICENSE@
# The suite of gotgt plugin test over a device of our own; "make check" sets GOTGT and PLUGIN.
set -eu
disk=$(mktemp)
trap 'rm -f "$disk"' EXIT
truncate -s 16M "$disk"
"$GOTGT" plugin test "$PLUGIN" path="$disk"
