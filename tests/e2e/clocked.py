#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clocked — runs a program whose wall clock is off by what a file says.

    clocked.py FILE PROGRAM [ARGUMENT...]

FILE has seconds, maybe negative, and is read anew for each question, so that a
test sets the clock while the program runs. Nothing in the program is made for
it: the kernel hands each question about the time over (seccomp), and the vDSO,
which would answer without the kernel, is hidden when the program begins
(ptrace). Clocks that count from a start go as they are, as in a machine whose
clock was set.

The program has this process's pid; a child stays and answers.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long

# seccomp(2), clock_gettime(2), gettimeofday(2), time(2); AUDIT_ARCH.
SECCOMP, CLOCK_GETTIME, GETTIMEOFDAY, TIME, ARCH = {
    "x86_64": (317, 228, 96, 201, 0xc000003e),
    "aarch64": (277, 113, 169, None, 0xc00000b7)}[platform.machine()]
WALL = (time.CLOCK_REALTIME, 5)  # the latter, the coarse one
SET_MODE_FILTER, NEW_LISTENER, WAIT_KILLABLE = 1, 1 << 3, 1 << 5
RET_ALLOW, RET_USER_NOTIF = 0x7fff0000, 0x7fc00000
NOTIF_RECV, NOTIF_SEND = 0xc0502100, 0xc0182101
SEIZE, DETACH, O_TRACEEXEC = 0x4206, 17, 0x10
AT_IGNORE, AT_SYSINFO_EHDR = 1, 33


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


# --- the program's side ---


def filter_program():
    """Of BPF: the three questions are handed over, if of the wall's clock."""
    load, equal, back = 0x20, 0x15, 0x06
    asked = [n for n in (GETTIMEOFDAY, TIME) if n is not None]
    rows = [(load, 0, 0, 4), (equal, 1, 0, ARCH), (back, 0, 0, RET_ALLOW),
            (load, 0, 0, 0)]
    for at, number in enumerate(asked):
        rows.append((equal, len(asked) - at + 4, 0, number))
    rows += [(equal, 0, 4, CLOCK_GETTIME), (load, 0, 0, 16),
             (equal, 1, 0, WALL[0]), (equal, 0, 1, WALL[1]),
             (back, 0, 0, RET_USER_NOTIF), (back, 0, 0, RET_ALLOW)]
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def hand_over():
    """The descriptor at which the questions arrive."""
    code = ctypes.create_string_buffer(filter_program())
    program = struct.pack("@HxxxxxxP", (len(code) - 1) // 8,
                          ctypes.addressof(code))
    check(LIBC.prctl(38, 1, 0, 0, 0), "no new privileges")
    return check(LIBC.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER |
                              WAIT_KILLABLE, program), "seccomp")


# --- who answers ---


def hide_vdso(pid):
    """When the program begins: what the kernel told it of the vDSO."""
    check(LIBC.ptrace(SEIZE, pid, None, O_TRACEEXEC), "ptrace")


def at_begin(pid):
    """It stands before its first instruction."""
    os.waitpid(pid, 0x40000000)  # __WALL
    with open(f"/proc/{pid}/auxv", "rb") as f:
        vector = f.read()
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        stack = int(f.read().rpartition(")")[2].split()[25])
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(stack)
        above = memory.read(1 << 16)
        at = above.index(vector[:64])
        for row in range(at, at + len(vector), 16):
            if struct.unpack_from("@Q", above, row)[0] == AT_SYSINFO_EHDR:
                memory.seek(stack + row)
                memory.write(struct.pack("@Q", AT_IGNORE))
    check(LIBC.ptrace(DETACH, pid, None, None), "detach")


def answer(memory_of, number, words, off):
    """Writes the time where it is wanted; what the call returns."""
    now = time.time_ns() + int(off * 1e9)
    seconds, rest = divmod(now, 1000000000)
    where, what = {
        CLOCK_GETTIME: (words[1], struct.pack("@qq", seconds, rest)),
        GETTIMEOFDAY: (words[0], struct.pack("@qq", seconds, rest // 1000)),
        TIME: (words[0], struct.pack("@q", seconds))}[number]
    if where != 0:
        with open(f"/proc/{memory_of}/mem", "r+b", buffering=0) as memory:
            memory.seek(where)
            memory.write(what)
    return seconds if number == TIME else 0


def serve(questions, path):
    """Until nobody is left who might ask."""
    poll = select.poll()
    poll.register(questions, select.POLLIN)
    while poll.poll()[0][1] & select.POLLIN:
        question = bytearray(80)
        try:
            fcntl.ioctl(questions, NOTIF_RECV, question)
        except OSError as why:  # it was killed meanwhile
            if why.errno not in (errno.ENOENT, errno.EINTR):
                raise
            continue
        token, pid, _, number, _, _, *words = struct.unpack(
            "@QIIiIQ6Q", question)
        try:
            with open(path, encoding="ascii") as f:
                value = answer(pid, number, words, float(f.read() or 0))
            reply = struct.pack("@QqiI", token, value, 0, 0)
            fcntl.ioctl(questions, NOTIF_SEND, reply)
        except (FileNotFoundError, ProcessLookupError, OSError):
            continue  # the same


def stay(pid, path, line):
    """In the child."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line.recv(1)
    hide_vdso(pid)
    line.send(b"1")
    _, fds, _, _ = socket.recv_fds(line, 1, 1)
    line.close()
    for fd in range(3):
        os.close(fd)
    at_begin(pid)
    serve(fds[0], path)
    os._exit(0)


def main():
    path, *words = sys.argv[1:]
    pid = os.getpid()
    mine, other = socket.socketpair()
    if os.fork() == 0:
        if os.fork() == 0:
            mine.close()
            stay(pid, path, other)
        os._exit(0)
    os.wait()  # whose signal would stop who is traced
    other.close()
    mine.send(b"1")
    mine.recv(1)
    socket.send_fds(mine, [b"1"], [hand_over()])
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
