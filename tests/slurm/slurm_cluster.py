"""A Slurm cluster of this machine alone, for tests: daemons, configuration and state in one folder.

It listens on the loopback interface, needs no root and no cgroups, and ends with the process
that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from port_tools import hold_port
from slurm import slurm_ending
from slurm.slurm_conf import ACCOUNTING_CONF, CONF, DBD_CONF, PARTITIONS, SQL
from slurm.slurm_ending import end_cluster, end_daemon, started_at

SECONDS = 120
"""How long anything may take before it counts as hung."""

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacctmgr", "sacct")

_PACKAGES = "slurmctld slurmd slurm-client munge slurmdbd mariadb-server-core mariadb-client-core"

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def missing(programs=DAEMONS):
    """Return the programs that are not installed."""
    return [program for program in programs if not shutil.which(program, path=_PATH)]


def advice(programs=DAEMONS):
    """Say which programs are not installed, and what installs them; empty if all are."""
    absent = missing(programs)
    return f"{', '.join(absent)} not installed: `apt-get install {_PACKAGES}`" if absent else ""


def wait_for(condition, seconds=SECONDS, what="it"):
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} takes too long"
        time.sleep(0.05)
    return found


class SlurmCluster:
    """A running cluster; ``conf`` is what SLURM_CONF has to name for commands to find it."""

    def __init__(
        self,
        *,
        nodes=3,
        cpus=16,
        memory=8000,
        max_array_size=1001,
        max_job_count=20000,
        min_job_age=60,
        accounting=False,
        extra="",
    ):
        # Names of sockets are limited to 107 bytes, so no folder of pytest's.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        self.conf = self.folder / "slurm.conf"
        self.nodes = [f"n{number + 1}" for number in range(nodes)]
        self._daemons = {}
        self._ports = _held_ports(nodes + 3)
        ports = [holder.getsockname()[1] for holder in self._ports]
        self._values = {
            "host": socket.gethostname().partition(".")[0],
            "user": getpass.getuser() if os.getuid() else "root",
            "folder": self.folder,
            "nodes": nodes,
            "controller_port": ports[0],
            "accounting_port": ports[1],
            "database_port": ports[2],
            "max_array_size": max_array_size,
            "max_job_count": max_job_count,
            "min_job_age": min_job_age,
        }
        host = self._values["host"]
        node_lines = "".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={cpus} RealMemory={memory} State=UNKNOWN\n"
            for node, port in zip(self.nodes, ports[3:], strict=True)
        )
        parts = (CONF, ACCOUNTING_CONF if accounting else "", PARTITIONS)
        text = [part.format(**self._values) for part in parts]
        self._text = "".join([*text[:2], node_lines, text[2], extra])
        try:
            self._start(accounting=accounting)
        except BaseException:
            self.stop()
            raise

    @property
    def environment(self):
        """The environment in which commands find this cluster."""
        own = {name: text for name, text in os.environ.items() if not name.startswith("SLURM_")}
        return {**own, "PATH": _PATH, "SLURM_CONF": str(self.conf)}

    def command(self, *words, check=True):
        """Run one of Slurm's commands here and return what it prints."""
        done = subprocess.run(
            [str(word) for word in words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stderr or done.stdout}"
        return done.stdout

    def set_node(self, name, state):
        """Change a node's state, such as to DOWN, which ends its jobs at once."""
        self.command("scontrol", "update", f"NodeName={name}", f"State={state}", "Reason=test")

    def resume_node(self, name):
        """Make a node take jobs again, and wait until it does."""
        # Refused where the node has come back by itself.
        self.command("scontrol", "update", f"NodeName={name}", "State=RESUME", check=False)
        wait_for(lambda: self._state(name) in {"idle", "mixed", "allocated"}, what=name)

    def skip_requeue_wait(self, job):
        """Let a requeued job start now, once its former processes have ended."""
        wait_for(lambda: "PENDING" in self._states_of(job), what=f"the end of {job}")
        # A node refuses what was sent in the second in which the former start was ended.
        ended = int(time.time())
        wait_for(lambda: int(time.time()) > ended, what="the next second")
        self.command("scontrol", "update", f"JobId={job}", "StartTime=now")

    def stop_controller(self):
        """End the controller, so that no command gets an answer."""
        self._end("slurmctld", signal.SIGTERM)

    def start_controller(self):
        """Start the controller, which knows all jobs again."""
        self._spawn("slurmctld", "slurmctld", "-D", "-i", "-f", self.conf)
        wait_for(self._answers, what="the controller")
        wait_for(lambda: all(map(self._is_up, self.nodes)), what="nodes")

    def clear(self):
        """End all jobs, and wait until none has a process left."""
        mine = f"--user={os.getuid()}"
        self.command("scancel", "--full", "--signal=KILL", mine, check=False)  # what is running
        self.command("scancel", mine)
        wait_for(lambda: not self.command("squeue", "-h", mine), what="the end of all jobs")

    def stop(self):
        """End all daemons and jobs, and remove the folder."""
        if self._is_served():
            self.command("scancel", f"--user={os.getuid()}", check=False)
        end_cluster(self.folder, spared=None)
        for daemon in self._daemons.values():
            daemon.wait(timeout=SECONDS)
        self._daemons.clear()
        for holder in self._ports:
            holder.close()

    def _start(self, *, accounting):
        for name in ("pids", "state", "spool", "log", "munge"):
            (self.folder / name).mkdir(mode=0o700)
        self.conf.write_text(self._text)
        if self._version() >= (23, 11):
            (self.folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        self._start_munge()
        if accounting:
            self._start_accounting()
        for node in self.nodes:
            (self.folder / "spool" / node).mkdir()
            self._spawn(node, "slurmd", "-D", "-N", node, "-f", self.conf)
        self.start_controller()
        watchdog = [
            sys.executable,
            slurm_ending.__file__,
            self.folder,
            os.getpid(),
            started_at(os.getpid()),
        ]
        self._spawn("watchdog", *watchdog)

    def _start_munge(self):
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o400)
        names = {"key-file": "key", "socket": "sock", "pid-file": "pid"}
        names |= {"log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in names.items()]
        self._spawn("munged", "munged", "--foreground", "--force", "--num-threads=2", *options)
        wait_for(lambda: self._lives("munged") and (munge / "sock").exists(), what="munge")

    def _start_accounting(self):
        data, user = self.folder / "db", self._values["user"]
        self.command(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--user={user}",
        )
        (data / "init.sql").write_text(SQL)
        self._spawn(
            "mariadbd",
            "mariadbd",
            "--no-defaults",
            f"--user={user}",
            f"--datadir={data}",
            f"--socket={data / 's'}",
            f"--port={self._values['database_port']}",
            "--bind-address=127.0.0.1",
            f"--pid-file={data / 'pid'}",
            f"--init-file={data / 'init.sql'}",
            "--skip-log-bin",
            "--innodb-buffer-pool-size=64M",
            "--innodb-lock-wait-timeout=900",
            "--innodb-flush-log-at-trx-commit=0",
        )
        wait_for(lambda: self._listens("mariadbd", "database_port"), what="the database")
        conf = self.folder / "slurmdbd.conf"
        conf.touch(mode=0o600)
        conf.write_text(DBD_CONF.format(**self._values))
        self._spawn("slurmdbd", "slurmdbd", "-D")
        wait_for(lambda: self._listens("slurmdbd", "accounting_port"), what="accounting")
        for words in (
            ("cluster", "scratch"),
            ("account", "tests", "Cluster=scratch"),
            ("user", user, "Account=tests", "Cluster=scratch"),
        ):
            self.manage("add", *words)

    def manage(self, *words):
        """Change accounting, by sacctmgr."""
        self.command("sacctmgr", "--immediate", "--quiet", *words)

    def _spawn(self, name, program, *arguments):
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            daemon = subprocess.Popen(
                [program, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )
        self._daemons[name] = daemon
        (self.folder / "pids" / f"{name}.pid").write_text(f"{daemon.pid} {started_at(daemon.pid)}")

    def _end(self, name, number):
        end_daemon(self.folder, name, number)
        self._daemons.pop(name).wait(timeout=SECONDS)

    def _lives(self, name):
        daemon = self._daemons[name]
        if daemon.poll() is None:
            return True
        logs = [path.read_text(errors="replace")[-2000:] for path in self._logs(name)]
        raise AssertionError(f"{name} ended with {daemon.returncode}: {''.join(logs)}")

    def _logs(self, name):
        return [path for path in self.folder.glob(f"log/{name}.*") if path.is_file()]

    def _listens(self, name, port):
        self._lives(name)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._values[port]), 1).close()
            return True
        return False

    def _is_served(self):
        daemon = self._daemons.get("slurmctld")
        return daemon is not None and daemon.poll() is None

    def _answers(self):
        self._lives("slurmctld")
        return "is UP" in self.command("scontrol", "ping", check=False)

    def _is_up(self, node):
        self._lives(node)
        return self._state(node) in {"idle", "mixed", "allocated"}

    def _state(self, node):
        said = self.command("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%T", check=False)
        return said.strip()

    def _states_of(self, job):
        return self.command("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%T")

    def _version(self):
        said = self.command("slurmctld", "-V").split()[1]
        return tuple(int(part) for part in said.split(".")[:2])


def _held_ports(count):
    """Return sockets that keep ports for daemons, below those that clients are given.

    Daemons share a port with whoever has it but does not listen; other clusters do not.
    """
    held = []
    while len(held) < count:
        with contextlib.suppress(OSError):  # it is taken
            held.append(hold_port(random.randint(20000, 31999)))
    return held
