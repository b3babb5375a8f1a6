# SPDX-License-Identifier: Apache-2.0
"""conftest — real machines: a kernel, a systemd and a disk of their own.

qemu emulates them, so no right but root's is needed and a boot takes half a
minute. They are on the switch of a mesh whose server and first agent are in
network namespaces here. What is said to them, and what they answer, is kept as
a transcript, one file a test.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(HERE / "tests/e2e"))
import mesh  # noqa: E402 pylint: disable=wrong-import-position

ROOT = pathlib.Path(os.environ["ROOT"])
KEPT = pathlib.Path(os.environ["KEPT"])  # what is made once
TOLD = pathlib.Path(os.environ["TOLD"])  # transcripts
DEB = pathlib.Path(os.environ["DEB"])
VERSION = os.environ["VERSION"]
NEWER = VERSION[:-1] + str(int(VERSION[-1]) + 1)

PACKAGES = ("ca-certificates", "curl", "dbus", "iproute2",
            "linux-image-cloud-amd64", "nftables", "nginx-light",
            "openssh-server", "openssl", "procps", "systemd", "systemd-sysv",
            "udev", "wget")
BOOT_S = 600  # emulated, on a machine that does other things
CALL_S = 300
MEMORY_MB = 512
DISK_MB = 1500

FILES = {
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    # Where questions go if nothing captures them: to nobody.
    "etc/resolv.conf": "nameserver 10.99.0.253\n",
    # Who is called says who is, and who calls.
    "etc/nginx/sites-available/default":
        "server {\n\tlisten 80;\n\tlocation / {\n"
        '\t\treturn 200 "$hostname answers $remote_addr\\n";\n\t}\n}\n'
        # It asks another for each answer.
        "server {\n\tlisten 127.0.0.1:8081;\n"
        "\tresolver 10.99.0.253 ipv6=off;\n\tset $other pears;\n"
        "\tlocation / {\n\t\tproxy_pass http://$other;\n\t}\n}\n",
}
NETWORK = ("[Match]\nMACAddress={mac}\n[Network]\nAddress={ip}/24\n"
           "LinkLocalAddressing=no\nIPv6AcceptRA=no\n")
# A processor that others keep is no reason to give up on a boot.
PATIENT = ("no_timer_check rcupdate.rcu_cpu_stall_suppress=1 "
           "systemd.service_watchdogs=no systemd.default_timeout_start_sec=600")
# What would only compete with the tests for an emulated processor.
QUIET = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer",
         "e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer",
         "systemd-resolved.service")
MACHINES = {11: "one", 12: "two"}


def run(*words, timeout=CALL_S, **options):
    done = subprocess.run(
        list(map(str, words)), text=True, check=False, timeout=timeout,
        capture_output=True, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


# --- a disk, made once ---


def mac(number):
    return f"52:54:00:99:00:{number:02x}"


def make_root():
    """Debian with its kernel, as debootstrap makes it."""
    made = ROOT.with_name(ROOT.name + ".new")
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase",
         "--include=" + ",".join(PACKAGES), "bookworm", made], check=True)
    made.rename(ROOT)


def furnish(root, key):
    for name, text in FILES.items():
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text)
    for number in MACHINES:
        (root / f"etc/systemd/network/{number}.network").write_text(
            NETWORK.format(mac=mac(number), ip=f"10.99.0.{number}"))
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(key, root / "root/.ssh/authorized_keys")
    run("systemctl", f"--root={root}", "enable", "systemd-networkd")
    run("systemctl", f"--root={root}", "mask", *QUIET)


def make_disk(key):
    """A file system with the root in it; nothing is mounted for that."""
    disk = KEPT / "disk.img"
    tree = KEPT / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    run("cp", "-a", "--reflink=auto", ROOT, tree)
    furnish(tree, key)
    made = KEPT / "disk.new"
    made.unlink(missing_ok=True)
    with open(made, "wb") as out:
        out.truncate(DISK_MB << 20)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, made)
    shutil.rmtree(tree)
    made.rename(disk)


@pytest.fixture(scope="session")
def disk():
    """Kept for the next run, until the root or this file is a newer one."""
    KEPT.mkdir(parents=True, exist_ok=True)
    key = KEPT / "key"
    if not key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    if not ROOT.exists():
        make_root()
    for needed in ("vmlinuz", "usr/sbin/nginx", "usr/sbin/sshd",
                   "usr/bin/curl", "usr/bin/wget"):
        assert os.path.lexists(ROOT / needed), (
            f"{ROOT} has no {needed}: it needs {', '.join(PACKAGES)}")
    path = KEPT / "disk.img"
    newest = max(p.stat().st_mtime for p in (
        pathlib.Path(__file__), ROOT / "var/lib/dpkg/status", key))
    if not path.exists() or path.stat().st_mtime < newest:
        make_disk(f"{key}.pub")
    return path


# --- transcripts ---


class Transcript:
    """What was said in the test that runs, and what came back."""

    def __init__(self):
        self.path = None

    def begin(self, name):
        TOLD.mkdir(parents=True, exist_ok=True)
        self.path = TOLD / f"{name.removeprefix('test_')}.txt"
        self.path.write_text("")

    def add(self, who, said, answer):
        with open(self.path, "a", encoding="utf-8") as out:
            out.write("".join(
                f"{who}# {line}\n" for line in said.strip().splitlines()))
            out.write(answer + "\n")


# --- a machine ---


class Vm:
    """One of them. Its disk is as it was made whenever qemu starts, and keeps
    what is written while qemu runs, whatever becomes of the machine."""

    def __init__(self, lab, number):
        self.lab = lab
        self.name = MACHINES[number]
        self.number = number
        self.ip = f"10.99.0.{number}"
        self.console = TOLD / f"console-{self.name}.log"
        self.process = None
        self.monitor = None

    def start(self, disk):
        tap = f"tap{self.number}"
        switch = self.lab.net.switch
        mesh.run_batch([f"tuntap add {tap} mode tap",
                        f"link set {tap} master br0 up"], "-n", switch)
        TOLD.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", switch, "setpriv", "--pdeathsig", "KILL",
             "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max",
             "-m", str(MEMORY_MB), "-smp", "1", "-display", "none",
             "-monitor", "stdio", "-serial", f"file:{self.console}",
             "-kernel", ROOT / "vmlinuz", "-initrd", ROOT / "initrd.img",
             "-append", f"console=ttyS0 root=/dev/vda rw quiet {PATIENT} "
             f"systemd.hostname={self.name} "
             f"systemd.machine_id={self.number:032x}",
             "-drive", f"file={disk},if=virtio,format=raw,snapshot=on",
             "-netdev", f"tap,id=n0,ifname={tap},script=no,downscript=no",
             "-device", f"virtio-net-pci,netdev=n0,mac={mac(self.number)}"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            start_new_session=True)  # Ctrl-C is for who ends it in order
        return self

    def press(self, key):
        """A command of qemu's own."""
        self.process.stdin.write(key + "\n")
        self.process.stdin.flush()

    def ssh(self, script, timeout=CALL_S, stdin=subprocess.DEVNULL):
        return subprocess.run(
            ["ip", "netns", "exec", self.lab.net.switch, "ssh", "-q",
             "-i", KEPT / "key", "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20",
             f"root@{self.ip}", script], text=True, check=False,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=timeout)

    def sh(self, script):
        """What a shell there says of it, which has to end well."""
        done = self.ssh(f"set -e\n{script}")
        self.lab.told.add(self.name, script, done.stdout)
        assert done.returncode == 0, (self.name, script, done.stdout)
        return done.stdout

    def copy(self, path):
        """To /tmp there."""
        with open(path, "rb") as file:
            done = self.ssh(f"cat >/tmp/{path.name}", stdin=file)
        assert done.returncode == 0, done

    def comes_to(self, text, script, deadline=CALL_S):
        """Until it says so."""
        found = []

        def says():
            found[:] = [self.ssh(script, deadline).stdout]
            return text in found[0]
        mesh.wait_for(says, lambda: f'{self.name}: {script} says "{text}", '
                      f"not {found}", deadline=deadline)
        self.lab.told.add(self.name, script, found[0])
        return found[0]

    def boot_id(self):
        """Nothing of who is not up, or goes down with the question."""
        try:
            done = self.ssh("cat /proc/sys/kernel/random/boot_id", 60)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def up(self, before=""):
        """Waits until it has booted, and not as it was `before`."""
        mesh.wait_for(lambda: self.boot_id() not in ("", before),
                      lambda: f"{self.name} boots: {self.console_end()}",
                      deadline=BOOT_S)
        self.comes_to("done", "systemctl is-system-running --wait; echo done",
                      BOOT_S)
        return self

    def reboots(self, by):
        before = self.boot_id()
        by()
        return self.up(before)

    def console_end(self):
        return self.console.read_text(errors="replace")[-2000:]

    def files(self):
        """All that is on its disk, but what time and systemd leave there."""
        told = self.ssh(
            "find / -xdev \\( -path /tmp -o -path /var/log -o -path /var/tmp "
            "-o -path /var/lib/systemd -o -path /var/lib/dpkg "
            "-o -path /var/cache "
            "-o -path /lost+found \\) -prune -o -print").stdout
        return set(told.splitlines())

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
        self.process = None


# --- all of it ---


class Lab(mesh.Mesh):
    """A mesh in namespaces, with two machines on its switch."""

    def __init__(self, folder):
        super().__init__(folder, 4, 2)
        self.told = Transcript()
        self.vms = [Vm(self, number) for number in MACHINES]

    def cable(self, disk):
        mesh.run_batch(["addr add 10.99.0.254/24 dev br0"],
                       "-n", self.net.switch)
        for vm in self.vms:
            vm.start(disk)
        for vm in self.vms:
            vm.up()

    def line(self, form):
        """What an operator pastes there."""
        text = self.token("--line", form)
        self.told.add("server", f"meshd token create --line {form}", text)
        return text

    def serve(self, program):
        """The server goes on, as that program."""
        mesh.MESHD = str(program)
        self.server.stop()
        self.server.start()

    def __exit__(self, *_):
        for vm in self.vms:
            vm.stop()
        super().__exit__()


@pytest.fixture(scope="session")
def lab(disk, tmp_path_factory):
    # pylint: disable=redefined-outer-name
    shutil.rmtree(TOLD, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended"))
    with Lab(tmp_path_factory.mktemp("lab")) as it:
        it.told.begin("boot")
        it.cable(disk)
        yield it


@pytest.fixture(autouse=True)
def transcript(lab, request):
    # pylint: disable=redefined-outer-name
    lab.told.begin(request.node.name)


@pytest.fixture
def one(lab):
    # pylint: disable=redefined-outer-name
    return lab.vms[0]


@pytest.fixture
def two(lab):
    # pylint: disable=redefined-outer-name
    return lab.vms[1]


# --- newer programs and packages ---


@pytest.fixture(scope="session")
def newer(tmp_path_factory):
    """The same program under the next version, which is as long."""
    path = tmp_path_factory.mktemp("newer") / "meshd"
    old = pathlib.Path(mesh.MESHD).read_bytes()
    assert f"{VERSION}\0".encode() in old
    path.write_bytes(old.replace(f"{VERSION}\0".encode(),
                                 f"{NEWER}\0".encode()))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def newer_deb(newer, tmp_path_factory):
    # pylint: disable=redefined-outer-name
    tree = tmp_path_factory.mktemp("deb") / "tree"
    run("dpkg-deb", "-R", DEB, tree)
    shutil.copy(newer, tree / "usr/bin/meshd")
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(
        f"Version: {VERSION}\n", f"Version: {NEWER}\n"))
    sums = run("sh", "-c", "find usr -type f | xargs -d '\\n' md5sum",
               cwd=tree)
    (tree / "DEBIAN/md5sums").write_text(sums)
    path = tree.with_name(f"meshd_{NEWER}_amd64.deb")
    run("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, path)
    return path
