#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""style — the rules of the house that a program can check.

    tests/lint/style.py FILE...

Prints "file:line: what is wrong" and ends non-zero if anything is. A line
that has to break a rule says why in a comment that holds "lint: RULE".
"""

import glob
import os
import re
import sys

COLUMNS = 80
TAB = 8

# name: (pattern over code without comments and strings, what to use instead)
BANNED_IN_C = {
    "goto": (r"\bgoto\b", "use AUTO() and TAKE()"),
    "strcpy": (r"\b(strcpy|strcat|strncpy|strncat|stpcpy)\s*\(", "use buf"),
    "sprintf": (r"\bv?sprintf\s*\(", "use snprintf or buf"),
    "gets": (r"\bgets\s*\(", "use a bounded read"),
    "atoi": (r"\b(atoi|atol|atoll|atof)\s*\(", "use slice_to_u64"),
    "strtok": (r"\bstrtok\s*\(", "use slice_split"),
    "system": (r"\b(system|popen|execlp|execvp)\s*\(", "no shell"),
    "alloca": (r"\balloca\s*\(", "use arena"),
    "rand": (r"\b(s?rand|s?random|drand48)\s*\(", "use rng"),
    "tmpnam": (r"\b(tmpnam|tempnam|mktemp)\s*\(", "use mkstemp"),
    "resolver": (
        r"\b(gethostbyname|gethostbyaddr|getaddrinfo|getnameinfo)\s*\(",
        "names are resolved by evdns",
    ),
    "localtime": (r"\b(gmtime|localtime|asctime|ctime)\s*\(", "use the _r form"),
    "unverified": (
        r"\btls_unverified_\w+",
        "only a health check may ask who is not verified",
    ),
    "typedef": (r"\btypedef\s+(struct|enum|union)\b(?!.*\(\*)", "no typedefs but callbacks"),
}

# Files that are no module's: a test may fork a shell, a hook needs a typedef.
BANNED_SKIPPED = {
    "typedef": ("third_party/",),
    "system": ("tests/",),
    "unverified": ("modules/3-peer/tls/", "modules/5-plane/health/", "tests/"),
    "rand": ("tests/third_party/",),  # without base; the same seed each time
}

# Words that say nothing to a reader of this project, or that promise work.
WORDS = [
    (r"\bTO[D]O\b|\bFIXM[E]\b|\bHAC[K]\b", "do it, or say what is not supported"),
    (r"[.][.]/share[d]/", "no path outside this tree"),
    (r"(^|[\s\"'=(:])/wor[k]/", "no path outside this tree"),
    (r"\b(chatgp[t]|cop[i]lot|l[l]m|clau[d]e)\b", "does not belong here"),
]

# Which module may include a library's headers.
OWNERS = {
    "loop": r"event2/|event\.h",
    "codec": r"ini\.h|yaml\.h|jansson\.h|protobuf-c/|.*\.pb-c\.h",
    "store": r"sqlite3\.h",
    "tls": r"mbedtls/|psa/",
    "http": r"llhttp\.h|nghttp2/",
    "base": r"sodium\.h|openssl/",
}

HASH_COMMENT = (".py", ".sh", ".mk")


def strip_code(text):
    """The C text without comments and literals, line for line."""

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] * 2
        return re.sub(r"[^\n]", " ", found)

    pattern = (
        r"//[^\n]*|/\*.*?\*/|"
        r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'"
    )
    return re.sub(pattern, blank, text, flags=re.S)


def width(line):
    return len(line.expandtabs(TAB))


class File:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8", errors="replace") as f:
            self.text = f.read()
        self.lines = self.text.split("\n")
        self.problems = []

    def say(self, number, words, rule=None):
        line = self.lines[number - 1] if number <= len(self.lines) else ""
        if rule and f"lint: {rule}" in line:
            return
        self.problems.append(f"{self.path}:{number}: {words}")

    # --- all files ----------------------------------------------------------

    def check_words(self):
        for i, line in enumerate(self.lines, 1):
            for pattern, words in WORDS:
                if re.search(pattern, line, re.I):
                    self.say(i, words, "word")

    def check_licence(self):
        head = "\n".join(self.lines[:3])
        if "SPDX-License-Identifier: Apache-2.0" not in head:
            self.say(1, "the first line names the licence (SPDX)")

    # --- C --------------------------------------------------------------------

    def check_head(self):
        """After the licence: `/*`, then ` * name — one sentence`."""
        if not re.search(r"^ \* [\w. /-]+ — \S", "\n".join(self.lines[1:4]), re.M):
            self.say(2, "the file's head is missing: name — one sentence")

    def check_width(self):
        for i, line in enumerate(self.lines, 1):
            if width(line) > COLUMNS and not re.search(r"https?://", line):
                self.say(i, f"{width(line)} columns; the limit is {COLUMNS}")
            if line != line.rstrip():
                self.say(i, "white space at the end of the line")

    def check_banned(self, code):
        for i, line in enumerate(code.split("\n"), 1):
            for rule, (pattern, words) in BANNED_IN_C.items():
                if self.path.startswith(BANNED_SKIPPED.get(rule, ("\0",))):
                    continue
                found = re.search(pattern, line)
                if found:
                    self.say(i, f"{found.group(0).strip()}: {words}", rule)

    def check_guard(self):
        if not self.path.endswith(".h"):
            return
        if not re.search(r"^#ifndef (MESHD_\w+_H)\n#define \1$", self.text, re.M):
            self.say(1, "the include guard is MESHD_<NAME>_H")

    def check_includes(self):
        module = self.module()
        for i, line in enumerate(self.lines, 1):
            quoted = re.match(r'#\s*include "([^"]+)"', line)
            system = re.match(r'#\s*include [<"]([^>"]+)[>"]', line)
            if quoted and module and quoted.group(1).startswith(module + "/"):
                self.say(i, "own headers are included without a slash")
            if quoted and module:
                self.check_private(i, module, quoted.group(1))
            if system and module:
                self.check_owner(i, module, system.group(1))

    def check_private(self, number, module, header):
        """Of another module only the header named like it."""
        room, _, name = header.rpartition("/")
        if not room or name == f"{room}.h":
            return
        if os.path.exists(f"modules/{self.path.split('/')[1]}/{module}/{header}"):
            return
        if glob.glob(f"modules/*/{header}"):
            self.say(number, f"{header} is private")

    def check_owner(self, number, module, header):
        for owner, pattern in OWNERS.items():
            if owner != module and re.match(pattern + "", header):
                self.say(number, f"{header} belongs to {owner}", "owner")
            if (
                owner == module
                and re.match(pattern, header)
                and os.path.basename(self.path) == f"{module}.h"
            ):
                self.say(number, f"a public header shows {header}", "owner")

    def module(self):
        parts = self.path.split("/")
        return parts[2] if parts[0] == "modules" and len(parts) > 3 else None

    def check_c(self):
        code = strip_code(self.text)
        self.check_head()
        self.check_width()
        self.check_guard()
        self.check_banned(code)
        self.check_includes()

    def check(self):
        if self.path.endswith(("LICENSE", "style.py")):
            return self.problems
        self.check_words()
        if self.path.endswith((".c", ".h")):
            self.check_licence()
            self.check_c()
        elif self.path.endswith(HASH_COMMENT) or self.path == "Makefile":
            self.check_licence()
        return self.problems


def check_modules():
    """Each module with code has its half page."""
    problems = []
    for folder in sorted(glob.glob("modules/*/*")):
        if os.path.isdir(folder) and not os.path.exists(f"{folder}/README.md"):
            problems.append(f"{folder}: README.md is missing")
    return problems


def is_text(path):
    with open(path, "rb") as f:
        return b"\0" not in f.read(4096)


def main():
    problems = check_modules()
    for path in sys.argv[1:]:
        # Corpora are what somebody sent, and golden files what we print.
        if "/corpus/" in path or not os.path.isfile(path) or not is_text(path):
            continue
        problems += File(path).check()
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
