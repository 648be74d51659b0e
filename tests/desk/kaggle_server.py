"""A server on loopback that speaks the HTTP of Kaggle's official client."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

USER, KEY, TOKEN = "someone", "0123456789abcdef", "KGAT_0123456789abcdef"
_DATE = "Wed, 01 Jan 2025 00:00:00 GMT"


@dataclass
class Board:
    """What the server holds, and what it was asked.

    files: content by `competition` or `owner/name`; refusals: status and message by method;
    scores: of a submission, by its place; cut: bytes after which a download breaks off, once.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    submissions: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    scored: dict[str, Any] = field(
        default_factory=lambda: {
            "status": "COMPLETE",
            "publicScore": "0.857",
            "privateScore": "0.82",
        }
    )
    cut: int | None = None
    always_cut: bool = False


class Server(ThreadingHTTPServer):
    daemon_threads = True
    board: Board

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        service, _, method = self.path.rpartition("/")
        self.server.board.calls.append(method)
        basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if self.headers.get("Authorization") not in (f"Basic {basic}", f"Bearer {TOKEN}"):
            return self._json(401, {"code": 401, "message": "Unauthenticated"})
        if refusal := self.server.board.refusals.get(method):
            return self._json(refusal[0], {"code": refusal[0], "message": refusal[1]})
        assert service.startswith("/v1/")
        reply: Callable[[Any], None] = getattr(self, f"_{method}")
        return reply(body)

    def do_GET(self) -> None:
        """A file, whole or from a byte on, as a storage service sends it."""
        board, name = self.server.board, urlsplit(self.path).path.removeprefix("/files/")
        content = board.files[name.removesuffix(".zip")]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").strip("-"))
        if "Range" in self.headers:
            board.ranges.append(self.headers["Range"])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", "application/zip")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Last-Modified", _DATE)
        self.end_headers()
        if board.cut is not None:
            self.wfile.write(content[start : board.cut])
            board.cut = board.cut if board.always_cut else None
            self.close_connection = True
        else:
            self.wfile.write(content[start:])

    def do_PUT(self) -> None:
        self.server.board.uploads.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._json(200, {})

    def _DownloadDataFiles(self, body: Any) -> None:  # noqa: N802
        self._redirect(body["competitionName"])

    def _DownloadDataset(self, body: Any) -> None:  # noqa: N802
        self._redirect(f"{body['ownerSlug']}/{body['datasetSlug']}")

    def _redirect(self, name: str) -> None:
        if name not in self.server.board.files:
            return self._json(404, {"code": 404, "message": "Not found"})
        self.send_response(302)
        self.send_header("Location", f"{self.server.url}/files/{name}.zip?signature=x")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def _StartSubmissionUpload(self, body: Any) -> None:  # noqa: N802
        self.server.board.submissions.append({"fileName": body["fileName"]})
        self._json(200, {"token": "token", "createUrl": f"{self.server.url}/upload"})

    def _CreateSubmission(self, body: Any) -> None:  # noqa: N802
        board = self.server.board
        ref = len(board.submissions)
        sent = {"ref": ref, "description": body["submissionDescription"], **board.scored}
        board.submissions[-1].update(sent)
        self._json(200, {"message": "Successfully submitted", "ref": ref})

    def _IntrospectToken(self, _: Any) -> None:  # noqa: N802
        self._json(200, {"active": True, "username": USER})

    def _GetSubmission(self, body: Any) -> None:  # noqa: N802
        self._json(200, self.server.board.submissions[body["ref"] - 1])

    def _ListSubmissions(self, _: Any) -> None:  # noqa: N802
        self._json(200, {"submissions": self.server.board.submissions[::-1]})

    def _json(self, status: int, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def start() -> Server:
    """A server in its thread's place, not yet serving."""
    server = Server(("127.0.0.1", 0), _Handler)
    server.board = Board()
    return server
