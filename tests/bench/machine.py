# SPDX-License-Identifier: Apache-2.0
"""machine — a network of its own, programs pinned to cores, what they cost.

Everything runs in one network namespace that ends with this process, so that
ports are free and nothing else on the machine is reached. What is measured
runs on PROXY_CORE; load and the application on LOAD_CORE.
"""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROXY_CORE, LOAD_CORE = 0, 1
DEADLINE = 20.0
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def enter_network(addresses):
    """From now on this process sees a loopback with these addresses only."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "a network namespace needs root")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"],
                       check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def wait_for(condition, what, every=0.02, deadline=DEADLINE):
    """Returns how long it took; the condition may raise OSError meanwhile."""
    start = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            if condition():
                return time.monotonic() - start
        if time.monotonic() - start > deadline:
            raise RuntimeError(f"in {deadline:.0f} s it did not happen: {what}")
        time.sleep(every)


def is_listening(host, port):
    with socket.create_connection((host, port), timeout=1):
        return True


class Program:
    """A child process; it dies with this one at the latest."""

    def __init__(self, folder, name, argv, core, env=None, pipes=False):
        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, {core})

        self.name = name
        self.log = os.path.join(folder, f"{name}.log")
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else log, stderr=log,
                env=env, preexec_fn=prepare)
        self.pid = self.popen.pid

    def wait_port(self, host, port):
        def ready():
            if self.popen.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n{self.tail()}")
            return is_listening(host, port)
        wait_for(ready, f"{self.name} listens on {host}:{port}")
        return self

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def cpu_s(self):
        """Seconds on a core so far, of all its threads."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            path = f"/proc/{self.pid}/task/{task}/schedstat"
            with open(path, encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def status(self, field):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith(f"{field}:"):
                    return int(line.split()[1])
        raise RuntimeError(f"{self.name} has no memory")

    def rss_kib(self):
        return self.status("VmRSS")

    def peak_kib(self):
        """The most that it ever had."""
        return self.status("VmHWM")

    def forget_peak(self):
        """From now on; what it has is the least of it."""
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")

    def stop(self):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if self.popen.poll() is not None:
                return
            self.popen.send_signal(sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(5)


class Stage:
    """A folder and the programs of one measurement, all gone at its end."""

    def __init__(self, keep=False):
        self.keep = keep
        self.folder = tempfile.mkdtemp(prefix="meshd-bench-")
        self.programs = []

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for program in reversed(self.programs):
            program.stop()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def start(self, name, argv, core, env=None, pipes=False):
        """With `pipes` the caller has its input and output."""
        program = Program(self.folder, name, argv, core, env, pipes)
        self.programs.append(program)
        return program

    def run(self, argv, core, seconds=60):
        """A program to its end; what it printed."""
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds, check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        if done.returncode != 0:
            raise RuntimeError(f"{argv}: {done.stdout}{done.stderr}")
        return done.stdout
