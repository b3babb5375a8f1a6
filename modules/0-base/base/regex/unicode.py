# SPDX-License-Identifier: Apache-2.0
"""unicode — writes the tables behind \\p{...} and (?i) as C to the standard output.

    unicode.py FOLDER

FOLDER is where Debian's package unicode-data lays the Unicode character
database. What is written depends on its files alone.
"""

import os
import re
import sys

RUNE_MAX = 0x10FFFF
PROPERTY = re.compile(r"^([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*(\w+)")


def canonical(name):
    """As \\p{} looks names up: without case, space, '_' and '-'."""
    return re.sub(r"[\s_-]", "", name).lower()


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read().splitlines()


def properties(lines):
    """The ranges of each value, sorted."""
    found = {}
    for line in lines:
        match = PROPERTY.match(line)
        if match:
            low = int(match.group(1), 16)
            high = int(match.group(2) or match.group(1), 16)
            found.setdefault(match.group(3), []).append((low, high))
    return {name: merged(ranges) for name, ranges in found.items()}


def merged(ranges):
    out = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return out


def categories(folder):
    """General categories, those of one letter, and their long names."""
    two = properties(read(folder, "extracted/DerivedGeneralCategory.txt"))
    sets = dict(two)
    for letter in sorted({name[0] for name in two}):
        sets[letter] = merged(
            r for name, ranges in two.items() if name[0] == letter for r in ranges
        )
    sets["LC"] = merged(two["Lu"] + two["Ll"] + two["Lt"])
    sets["Assigned"] = merged(
        r for name, ranges in two.items() if name != "Cn" for r in ranges
    )
    sets["Any"] = [(0, RUNE_MAX)]
    sets["ASCII"] = [(0, 0x7F)]
    aliases = {}
    for line in read(folder, "PropertyValueAliases.txt"):
        parts = [p.strip() for p in line.split("#")[0].split(";")]
        if parts[0] == "gc":
            for alias in parts[2:]:
                aliases[alias] = parts[1]
    return sets, aliases


def folds(folder):
    """Each rune with the next one that differs from it by case alone."""
    orbits = {}
    for line in read(folder, "CaseFolding.txt"):
        parts = [p.strip() for p in line.split("#")[0].split(";")]
        if len(parts) > 2 and parts[1] in "CS":
            target = int(parts[2], 16)
            orbits.setdefault(target, {target}).add(int(parts[0], 16))
    pairs = []
    for orbit in orbits.values():
        runes = sorted(orbit)
        pairs += zip(runes, runes[1:] + runes[:1])
    return sorted(pairs)


def main():
    folder = sys.argv[1]
    sets, aliases = categories(folder)
    # A script that has a category's name would be lost: there is none.
    for name, ranges in properties(read(folder, "Scripts.txt")).items():
        sets.setdefault(name, ranges)
    names = {}
    ranges = []
    for name in sorted(sets):
        names[canonical(name)] = (len(ranges), len(sets[name]))
        ranges += sets[name]
    for alias, name in aliases.items():
        names.setdefault(canonical(alias), names[canonical(name)])
    pairs = folds(folder)
    print('/* Written by unicode.py. */\n#include "unicode.h"\n')
    print("const struct unicode_range unicode_ranges[] = {")
    for low, high in ranges:
        print(f"    {{0x{low:X}, 0x{high:X}}},")
    print("};\n\nconst struct unicode_name unicode_names[] = {")
    for name in sorted(names):
        first, count = names[name]
        print(f'    {{"{name}", {first}, {count}}},')
    print("};\n\nconst struct unicode_fold unicode_folds[] = {")
    for rune, following in pairs:
        print(f"    {{0x{rune:X}, 0x{following:X}}},")
    print("};\n")
    print(f"const size_t unicode_name_count = {len(names)};")
    print(f"const size_t unicode_fold_count = {len(pairs)};")


main()
