"""One page to the browsers of this machine: on the loopback address only, until somebody stops it."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from warmstart.base.console import say
from warmstart.base.errors import BadInput

LOOPBACK = "127.0.0.1"


def page_server(html: str, port: int) -> ThreadingHTTPServer:
    """A server that answers with one page; ``port`` 0 takes any that is free.

    Raises:
        BadInput: a port that is taken, or not allowed.
    """
    page = html.encode("utf-8")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            own = f":{self.server.server_port}"  # type: ignore[attr-defined]
            if self.headers.get("Host") not in (LOOPBACK + own, "localhost" + own):
                self.send_error(403, "this page is for this machine only")  # a foreign name that leads here
            elif self.path != "/":
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except OSError as error:
        raise BadInput(
            f"cannot serve here ({error.strerror})", where="--port", value=port, next_step="choose another, or 0: any"
        ) from None


def serve_until_stopped(server: ThreadingHTTPServer) -> None:
    """Answers until Ctrl-C, which is a good end."""
    with server:
        say(f"http://{LOOPBACK}:{server.server_port}/  (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("stopped")
