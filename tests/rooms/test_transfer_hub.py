"""Models of the hub through huggingface_hub itself, which asks a small server on this machine instead of the hub."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.models.files import WEIGHTS
from warmstart.transfer.hub import model_folder

pytest.importorskip("huggingface_hub")
COMMIT = "0123456789" * 4
FILES = {
    "some/pickles": {"config.json": b"{}", "vocab.txt": b"[UNK]\n", "pytorch_model.bin": b"no"},
    "some/parts": {
        "config.json": b"{}",
        "pytorch_model.bin.index.json": b"{}",
        "pytorch_model-00001-of-00002.bin": b"no",
    },
    "some/both": {"config.json": b"{}", WEIGHTS: b"numbers", "pytorch_model.bin": b"no"},
    "some/words": {"vocab.txt": b"[UNK]\n"},
}


class Hub(BaseHTTPRequestHandler):
    """What of the hub's answers a download needs: a model's commit, its list of files, and each file with its head."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/api/models")
        name = "/".join(path.split("/")[1:3])
        files = FILES[name]
        if "/resolve/" in path:
            return self._answer(files[path.partition(f"/resolve/{COMMIT}/")[2]])
        if "/tree/" in path:
            rows = [{"type": "file", "path": file, "size": len(data), "oid": file} for file, data in files.items()]
            return self._answer(json.dumps(rows).encode())
        siblings = [{"rfilename": file} for file in files]
        return self._answer(json.dumps({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings}).encode())

    def _answer(self, data: bytes) -> None:
        self.send_response(200)
        for key, value in (("Content-Length", str(len(data))), ("ETag", '"tag"'), ("X-Repo-Commit", COMMIT)):
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from huggingface_hub import constants, hf_api

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hf_api.api, "endpoint", url)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "file"), [("pickles", "pytorch_model.bin"), ("parts", "pytorch_model.bin.index.json")]
)
def test_a_model_of_pickles_alone_is_told_how_to_become_safetensors(hub: None, name: str, file: str) -> None:
    """Witness: the sentence; its next step names the model."""
    with pytest.raises(BadInput, match="a pickle can run any code") as refused:
        model_folder(f"some/{name}")
    sentence = str(refused.value)
    assert (
        sentence.startswith(f"some/{name}, {file}: ") and f"from_pretrained('some/{name}').save_pretrained" in sentence
    )


def test_safetensors_beside_pickles_and_tokenizers_are_fetched(hub: None) -> None:
    """Witness: the files in the hub's cache: no pickle is ever among them."""
    assert {path.name for path in model_folder("some/both").iterdir()} == {"config.json", WEIGHTS}
    assert (model_folder("some/words") / "vocab.txt").read_bytes() == b"[UNK]\n"
    assert {path.name for path in model_folder("some/pickles", weights=False).iterdir()} == {"config.json", "vocab.txt"}
