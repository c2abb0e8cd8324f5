"""Sends the metrics of each epoch to a server."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from kcompile.callbacks.callback import Callback

SECONDS = 10  # a server that does not answer must not hold up the training


class RemoteMonitor(Callback):
    """POSTs {"epoch": ..., metric: value, ...} to root + path at the end of each epoch.

    Args:    field: name of the form's field that holds the JSON text. headers: HTTP headers. send_as_json:
             send the JSON itself, as application/json, instead of a form.
    Raises:  ValueError, at the end of an epoch, for an address that is not http or https. A server that
             cannot be reached is a warning.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ):
        super().__init__()
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        from urllib.parse import urlencode  # here: networking is needed by this callback alone
        from urllib.request import Request, urlopen

        values = {
            k: v.item() if isinstance(v, (np.ndarray, np.generic)) else v for k, v in (logs or {}).items()
        }
        text = json.dumps({"epoch": epoch, **values})
        address = self.root + self.path
        if not address.startswith(("http://", "https://")):
            raise ValueError(
                f"RemoteMonitor: root must begin with http:// or https://. Received: {self.root}"
            )
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urlencode({self.field: text})
        request = Request(address, body.encode(), {"Content-Type": kind, **(self.headers or {})})
        try:
            with urlopen(request, timeout=SECONDS):
                pass
        except OSError as error:
            if getattr(error, "code", None) is None:  # an answer, even a refusal, reaches the server
                warnings.warn(f"Could not reach RemoteMonitor root server at {self.root}", stacklevel=2)
