"""The server below a Hub: connections, requests as they come, and faults as they are planned."""

import socket
import socketserver
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from tests.hub.faults import Fault, Faults
from tests.hub.messages import Refusal, Request, Response

HOME = "127.0.0.1"
NOTICE = 0.01  # seconds until a server that should stop does


class Dropped(Exception):
    """The connection is closed without an answer."""


class Server(ThreadingHTTPServer):
    """Listens on a port of the loopback interface, and can really be down afterwards."""

    request_queue_size = 64
    daemon_threads = False  # so that closing waits for every handler

    def __init__(
        self,
        port: int,
        answer: Callable[[Request], Response],
        faults: Faults,
        log: list[Request],
        failures: list[str],
    ) -> None:
        self.answer, self.faults, self.log, self.failures = answer, faults, log, failures
        self.stopping = threading.Event()
        self.open: set[socket.socket] = set()
        super().__init__((HOME, port), Handler)
        self.thread = threading.Thread(target=self.serve_forever, args=(NOTICE,))

    def server_bind(self) -> None:
        """Bind without asking for the name of this machine, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOME, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a connection, so that it can be cut."""
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        self.open.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Stop listening, cut the open connections and wait for their handlers."""
        self.stopping.set()
        self.shutdown()
        self.thread.join()
        for connection in list(self.open):
            cut(connection)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what was wrong in the Hub itself; a client may go away as it likes."""
        text = traceback.format_exc()
        if not any(name in text for name in ("ConnectionResetError", "BrokenPipeError")):
            self.failures.append(text)


def cut(connection: socket.socket) -> None:
    """Close a connection in both directions."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster


class Handler(BaseHTTPRequestHandler):
    """Reads requests from a connection and sends the answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together

    def do_GET(self) -> None:
        """Answer a request, unless a fault is planned for it."""
        server = cast(Server, self.server)
        request = self.read()
        server.log.append(request)
        try:
            self.send(request, self.respond(server, request))
        except Dropped:
            self.close_connection = True
            cut(self.connection)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def read(self) -> Request:
        """The request, with its whole body.

        Raises:
            ConnectionResetError: the client went away before.
        """
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "chunked" in headers.get("transfer-encoding", ""):
            body = self.chunks()
        else:
            body = self.exactly(int(headers.get("content-length", 0)))
        return Request(self.command, self.path, headers, body)

    def chunks(self) -> bytes:
        """A body that comes in pieces, each behind a line with its size and before an empty line."""
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0] or b"-1", 16):
            pieces.append(self.exactly(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(pieces)

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        found = self.rfile.read(size) if size >= 0 else b""
        if len(found) != size:
            raise ConnectionResetError("the client went away in the middle of a request")
        return found

    def respond(self, server: Server, request: Request) -> Response:
        """The Hub's answer, or what a fault makes of it."""
        fault = server.faults.take(request)
        if fault is None:
            return self.work(server, request)
        worked = self.work(server, request) if fault.after_body or fault.failure == "cut" else None
        return self.fail(server, fault, worked)

    def work(self, server: Server, request: Request) -> Response:
        """The Hub's answer; a bug of it is an answer too."""
        try:
            return server.answer(request)
        except Exception:
            server.failures.append(f"{request.method} {request.path}\n{traceback.format_exc()}")
            return Refusal(500, "The Hub itself has failed").response()

    def fail(self, server: Server, fault: Fault, worked: Response | None) -> Response:
        """Let a fault happen.

        Raises:
            Dropped: there is no answer.
        """
        if fault.failure == "cut" and worked:
            self.send_head(worked)
            self.wfile.write(worked.body[: len(worked.body) // 2])
            self.wfile.flush()
        elif fault.failure == "stall":
            server.stopping.wait()
        elif isinstance(fault.failure, int):
            return fault.response()
        raise Dropped

    def send(self, request: Request, answer: Response) -> None:
        """Send an answer."""
        self.send_head(answer)
        if request.method != "HEAD":
            self.wfile.write(answer.body)

    def send_head(self, answer: Response) -> None:
        """Send the status and the headers."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            line = " ".join(value.split())
            self.send_header(name, line.encode("ascii", "replace").decode())
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are in the Hub's log."""
