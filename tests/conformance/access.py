# SPDX-License-Identifier: Apache-2.0
"""access — many questions about who may call, put to meshd in one run."""

import json
import os
import subprocess
import tempfile

from judge import MESHD


def ask(text, questions):
    """The answers of `meshd explain access` to the questions (maps), with the
    documents of the text as its configuration."""
    with tempfile.TemporaryDirectory() as folder:
        files = os.path.join(folder, "config.yaml")
        lines = os.path.join(folder, "questions")
        with open(files, "w", encoding="utf-8") as f:
            f.write(text)
        with open(lines, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(q) + "\n" for q in questions)
        done = subprocess.run(
            [MESHD, "explain", "access", "--files", files, "--questions",
             lines], capture_output=True, text=True, timeout=300, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(questions):
        raise AssertionError(
            f"explain access ended with {done.returncode}: {done.stderr}")
    for question, answer in zip(questions, answers):
        if "fault" in answer:
            raise AssertionError(f"{question}: {answer['fault']['message']}")
    return answers
