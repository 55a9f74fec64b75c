"""Start servers for a run: nginx where it is installed, a Python one otherwise and wherever replies have to be late."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Final

import trustme
from attrs import define, field

from benchmarks.messages import REPLY

_NGINX: Final = """
daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
    access_log off; default_type application/json; keepalive_requests 2000000000; keepalive_timeout 600s;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        location / {{ return 200 '{reply}'; }}
        location = /status {{ stub_status; }}
    }}
}}
"""


@define
class Server:
    """Hold a running server: its name, its URL, the certificate that vouches for it."""

    name: str
    base_url: str
    ca: str
    _asked: int = field(default=0, init=False)

    def accepted(self) -> int:
        """Return how many connections others than this function have opened since the beginning."""
        host = self.base_url.removeprefix("https://")
        connection = HTTPSConnection(host, context=ssl.create_default_context(cafile=self.ca), timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/status")
            text = connection.getresponse().read().decode()
        self._asked += 1
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        return numbers[1 if len(numbers) > 1 else 0] - self._asked  # nginx: "Active connections: 1 ... accepts ..."


@contextmanager
def serving(folder: Path, delay: float, core: int) -> Iterator[Server]:
    """Run a server that replies after `delay` seconds, pinned to a core, as long as the context lasts."""
    certificate, ca = _certificates(folder)
    port = _free_port()
    nginx = None if delay else shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
    command = _nginx(nginx, folder, port, certificate) if nginx else _own(port, delay, certificate, core)
    pinned = ["taskset", "-c", str(core)] if nginx and shutil.which("taskset") else []
    process = subprocess.Popen([*pinned, *command])  # noqa: S603
    try:
        server = Server(_named(nginx), f"https://127.0.0.1:{port}", str(ca))
        _wait_for(port, process)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def _certificates(folder: Path) -> tuple[Path, Path]:
    certificate, ca = folder / "server.pem", folder / "ca.pem"
    if not ca.exists():
        authority = trustme.CA()
        authority.cert_pem.write_to_path(ca)
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    return certificate, ca


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _nginx(program: str, folder: Path, port: int, certificate: Path) -> list[str]:
    settings = folder / "nginx.conf"
    settings.write_text(_NGINX.format(folder=folder, port=port, certificate=certificate, reply=REPLY))
    return [program, "-e", "stderr", "-p", str(folder), "-c", str(settings)]


def _own(port: int, delay: float, certificate: Path, core: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.serve", json.dumps([port, delay, str(certificate), core])]


def _named(nginx: str | None) -> str:
    if nginx is None:
        return "the package's own"
    shown = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)  # noqa: S603
    return shown.stderr.strip().removeprefix("nginx version: ")


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the server did not start")
