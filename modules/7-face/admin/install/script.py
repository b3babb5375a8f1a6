# SPDX-License-Identifier: Apache-2.0
"""script.py — packaging/install.sh, with what it brings, as bytes of C.

	script.py FOLDER [--text]

FOLDER is packaging/. A line @FILE name@ stands for that file of it. With
--text the script is written as it is, for those who check it.
"""

import pathlib
import re
import sys


def compose(folder):
    def bring(match):
        return (folder / match[1]).read_text(encoding="utf-8")
    text = (folder / "install.sh").read_text(encoding="utf-8")
    return re.sub(r"^@FILE (\S+)@\n", bring, text, flags=re.M)


def as_c(data):
    rows = ["/* Made by script.py. */", "#include <stddef.h>", "",
            "extern const char script_text[];",
            "extern const size_t script_text_len;", "",
            f"const size_t script_text_len = {len(data)};",
            "const char script_text[] = {"]
    for at in range(0, len(data), 16):
        rows.append("    " + " ".join(
            f"{b - 256 if b > 127 else b}," for b in data[at:at + 16]))
    return "\n".join([*rows, "};", ""])


if __name__ == "__main__":
    script = compose(pathlib.Path(sys.argv[1]))
    sys.stdout.write(script if "--text" in sys.argv[2:]
                     else as_c(script.encode()))
