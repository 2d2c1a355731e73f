#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flame.py TITLE OUT.svg - what `perf script` prints as a flame graph, and the functions most time is spent in."""
import collections
import html
import re
import sys

WIDTH, ROW, LEAST = 1200, 16, 0.3       # pixels; narrower boxes are left out


def stacks(lines):
    """One list of functions a sample, the outermost first."""
    names = []
    for line in lines:
        line = line.rstrip("\n")
        if not line.strip():
            if names:
                yield names[::-1]
            names = []
            continue
        frame = re.match(r"\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \(", line)
        if frame:
            names.append(frame.group(1))
    if names:
        yield names[::-1]


class Node:
    def __init__(self):
        self.count, self.under = 0, collections.OrderedDict()


def build(samples):
    root, top = Node(), collections.Counter()
    for names in samples:
        root.count += 1
        top[names[-1]] += 1
        node = root
        for name in names:
            node = node.under.setdefault(name, Node())
            node.count += 1
    return root, top


def depth(node):
    return 1 + max((depth(n) for n in node.under.values()), default=0)


def draw(node, x, level, scale, height, total, out):
    for name, child in sorted(node.under.items()):
        width = child.count * scale
        if width >= LEAST:
            y = height - (level + 1) * ROW
            tone = 60 + sum(name.encode()) % 120
            shown = html.escape(name[: int(width / 7)]) if width > 20 else ""
            out.append(
                f'<g><title>{html.escape(name)}: {100 * child.count / total:.1f} %</title>'
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="rgb(230,{tone},60)"/>'
                f'<text x="{x + 2:.1f}" y="{y + 11}">{shown}</text></g>'
            )
            draw(child, x, level + 1, scale, height, total, out)
        x += width


def main():
    title, path = sys.argv[1:]
    root, top = build(stacks(sys.stdin))
    if not root.count:
        sys.exit(f"{title}: no samples")
    height = (depth(root) + 2) * ROW
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
        f'<text x="4" y="12">{html.escape(title)}: {root.count} samples</text>',
    ]
    draw(root, 0, 0, WIDTH / root.count, height, root.count, out)
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out + ["</svg>", ""]))
    print(f"\n{title}: where the CPU is ({path})")
    for name, count in top.most_common(10):
        print(f"{100 * count / root.count:6.1f} %  {name}")


main()
