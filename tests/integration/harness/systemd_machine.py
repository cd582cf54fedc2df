"""A real systemd as PID 1 of a container whose root is an overlay of the host's own file system."""

import contextlib
import os
import pathlib
import signal
import subprocess

from .processes import listening
from .waiting import wait_until

# Everything that is mounted is in a mount namespace of its own and goes with its last process. What systemd-nspawn
# keeps in /run stays in there, too. No timer of the host's begins its work.
_BOOT = """
set -eu
directory=$1; shift
for group in "$@"; do echo 0 >"$group/cgroup.procs"; done
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=0755 tmpfs "$directory/memory"
cd "$directory/memory"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" root
cp -a "$directory/files/." root
ln -sf /dev/null root/etc/systemd/system/timers.target
while read -r account; do systemd-sysusers --root="$PWD/root" --inline "$account"; done <"$directory/accounts"
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --console=passive \
  --machine=codex-agent-test --directory="$PWD/root" --boot -- systemd.unit=basic.target systemd.show_status=no
"""


def why_impossible():
    """Why no container can be booted here; None if one can."""
    if os.geteuid() != 0:
        return "only root boots a container"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or None


def _mounts(pid="self"):
    """(mount point, file system, options) of each mount (proc_pid_mountinfo(5))."""
    for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines():
        before, after = line.split(" - ")
        yield before.split()[4], after.split()[0], before.split()[5].split(",") + after.split()[2].split(",")


def _make_groups(name):
    """A new cgroup in each hierarchy that systemd uses: cgroup v2, and its own of v1 where there is one."""
    groups = []
    for mount_point, kind, options in _mounts():
        if kind == "cgroup2" or "name=systemd" in options:
            groups.append(pathlib.Path(mount_point) / name)
            groups[-1].mkdir(exist_ok=True)
    return groups


class SystemdMachine:
    """Boots with what is in `directory`/files on top of the host's root, and with the accounts given as lines of
    sysusers.d(5). The host's /usr and /etc are never written to. If this process is killed, it powers off by itself."""

    def __init__(self, directory, accounts=()):
        self.directory = pathlib.Path(directory)
        (self.directory / "memory").mkdir()
        (self.directory / "files").mkdir(exist_ok=True)
        (self.directory / "files" / "etc" / "systemd" / "system").mkdir(parents=True, exist_ok=True)
        (self.directory / "accounts").write_text("".join(line + "\n" for line in accounts), encoding="utf-8")
        self._init = None
        self._groups = _make_groups(f"codex-agent-test.{os.getpid()}")
        with open(self.directory / "boot.log", "wb") as log:
            self._nspawn = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "--propagation", "private", "sh", "-c", _BOOT,
                 "boot", str(self.directory), *map(str, self._groups)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        try:
            self._init = wait_until(self._find_init, 60, "the container's init")
            wait_until(lambda: self.run("systemctl", "is-system-running", check=False) in ("running", "degraded"), 90,
                       "the end of the boot", interval=0.1)
        except BaseException:
            print((self.directory / "boot.log").read_text(encoding="utf-8", errors="replace"))
            self.close()
            raise

    def _find_init(self):
        """Its pid here, once it is systemd in namespaces of its own: before that a command would run on the host."""
        assert self._nspawn.poll() is None, "systemd-nspawn has ended"
        for child in pathlib.Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{child}/status").read_text(encoding="utf-8")
                apart = all(os.readlink(f"/proc/{child}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
                            for kind in ("mnt", "pid", "net", "uts", "ipc"))
                if apart and "Name:\tsystemd\n" in status and f"NSpid:\t{child}\t1\n" in status:
                    return int(child)
        return None

    def run(self, *command, timeout=60, check=True):
        """Runs a command in there as root and returns what it printed."""
        done = subprocess.run(["nsenter", "-t", str(self._init), "-m", "-p", "-n", "-u", "-i", "-C", "--",
                               *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout, cwd="/", check=False,
                              env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
        assert not check or done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}"
        return done.stdout.strip()

    def property(self, unit, name):
        return self.run("systemctl", "show", "--property", name, "--value", unit)

    def read(self, path):
        return self.run("cat", path)

    def pids_of(self, account):
        """All that runs as that account."""
        return [int(pid) for pid in self.run("ps", "-o", "pid=", "-u", account, check=False).split()]

    def listens(self, port):
        return listening(port, self._init)

    def has_cgroup2(self):
        """Whether systemd manages a cgroup v2 hierarchy in there, alone or beside v1."""
        return any(kind == "cgroup2" and "rw" in options for _, kind, options in _mounts(self._init))

    def close(self):
        """Powers it off, by force if need be. Fails if any process of it outlives that."""
        if self._init and self._nspawn.poll() is None:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                self.run("systemctl", "--force", "poweroff", timeout=10)
                self._nspawn.wait(10)
        self._nspawn.kill()
        self._nspawn.wait()
        for group in self._groups:
            wait_until(lambda: self._end(group), 10, f"the end of all processes of {group}")

    @staticmethod
    def _end(group):
        """Kills what still lives in a group of ours; true once that is gone and the group with it."""
        for directory, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                for pid in pathlib.Path(directory, "cgroup.procs").read_text(encoding="ascii").split():
                    if pid != "0":  # of a process that we cannot see
                        os.kill(int(pid), signal.SIGKILL)
                os.rmdir(directory)
        return not group.exists()
