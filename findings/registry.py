"""A registry in a few lines: a finding's server defines `answer(request)` and calls `serve(answer)`.

It answers as the distribution specification allows, and prints its port.
"""

import hashlib
import http.server
import json
import urllib.parse


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Request(http.server.BaseHTTPRequestHandler):
    """A request: `command`, `path` without query, `query`, `headers`, `body`."""

    protocol_version = "HTTP/1.1"

    def parse_request(self):
        if not super().parse_request():
            return False
        self.path, _, query = self.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        self.body = self.read_body()
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            setattr(self, f"do_{method}", self.dispatch)
        return True

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def dispatch(self):
        self.answer()

    def reply(self, status, body=b"", headers=None):
        """Sends a response; a body that is no bytes is sent as JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def challenge(self, scope=None):
        """Sends a 401 that asks for a token of this server's /token."""
        value = f'Bearer realm="http://{self.headers["Host"]}/token",service="registry"'
        value += f',scope="{scope}"' if scope else ""
        self.reply(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": value})

    def log_message(self, *_):
        pass


def serve(answer):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Request,), {"answer": answer}))
    print(server.server_port, flush=True)
    server.serve_forever()
