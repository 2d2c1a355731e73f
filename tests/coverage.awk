# SPDX-License-Identifier: Apache-2.0
# From gcovr's table of files: lines of each folder of core/.
NR == 1 {
	for (i = 1; i <= NF; i++)
		column[$i] = i
	next
}
{
	n = split($1, at, "/")
	folder = at[n - 1]
	lines[folder] += $(column["line_total"])
	covered[folder] += $(column["line_covered"])
}
END {
	if (NR < 2) {
		print "make coverage: no line of core/ was counted" >"/dev/stderr"
		exit 1
	}
	for (folder in lines)
		if (lines[folder])
			printf "%-10s %6d of %6d lines, %5.1f %%\n", folder, covered[folder], lines[folder],
				100 * covered[folder] / lines[folder] | "sort"
}
