#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""peer — generated documents, judged by meshd and by a real istioctl.

    tests/conformance/peer.py ISTIOCTL [--only validate|analyze] [--seed N]

Prints the seed, each difference, and how many there were. README.md explains
those that stay; each has a rule that recognises it. Ends with 0 if nothing
else differs. MESHD is the binary.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import messages
import verdicts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("istioctl")
    parser.add_argument("--only", choices=["validate", "analyze"])
    parser.add_argument("--count", type=int, default=20000,
                        help="documents to validate")
    parser.add_argument("--sets", type=int, default=2000,
                        help="sets of documents to analyze")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--show", type=int, default=20,
                        help="differences that are printed, of a part")
    parser.add_argument("--fields", action="store_true",
                        help="prints the fields that no document had")
    words = parser.parse_args()
    print(f"seed {words.seed}")
    different = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if words.only != "analyze":
            different += verdicts.Verdicts(words).all(folder)
        if words.only != "validate":
            different += messages.Messages(words).all(folder)
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
