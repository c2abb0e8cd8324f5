"""Event files as TensorBoard reads them: records of protocol buffers, framed as in TFRecord files.

Sources: tensorflow's event.proto, summary.proto, tensor.proto and record_writer.cc for the layout;
RFC 3720, appendix B.4 for the checksum.
"""

from __future__ import annotations

import os
import socket
import struct
import time
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

# --- checksums ----------------------------------------------------------------------------------------------


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def masked_crc(data: bytes) -> int:
    """CRC-32C of the bytes, rotated and shifted so that checksums of checksums differ.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def framed(data: bytes) -> bytes:
    """A record: length, checksum of the length, the bytes, their checksum."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


# --- protocol buffers ---------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as their 64-bit complement."""
    number &= 0xFFFFFFFFFFFFFFFF
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, value: Any) -> bytes:
    """One field: an int, a float (as double), text, or bytes (of a message too)."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else bytes(value)
    return varint(number << 3 | 2) + varint(len(data)) + data


DTYPES = {"float32": 1, "float64": 2}
STRING = 7


def tensor(array: np.ndarray) -> bytes:
    """A TensorProto of float numbers."""
    code = DTYPES[str(array.dtype)]
    return (
        field(1, code)
        + field(2, _shape(array.shape))
        + field(4, array.astype(array.dtype.newbyteorder("<")).tobytes())
    )


def strings(values: Sequence[bytes], shape: Sequence[int]) -> bytes:
    """A TensorProto of byte strings."""
    return field(1, STRING) + field(2, _shape(shape)) + b"".join(field(8, value) for value in values)


def _shape(shape: Sequence[int]) -> bytes:
    return b"".join(field(2, field(1, int(extent))) for extent in shape)


# --- summaries ----------------------------------------------------------------------------------------------

BUCKETS = 30
IMAGES = 3  # shown of one tensor at most


def summary(tag: str, plugin: str, value: bytes, content: bytes = b"") -> bytes:
    """A Summary of one value, shown by a plugin of TensorBoard."""
    metadata = field(1, field(1, plugin) + (field(2, content) if content else b""))
    return field(1, field(1, tag) + field(9, metadata) + field(8, value))


def scalar(tag: str, value: Any) -> bytes:
    return summary(tag, "scalars", tensor(np.asarray(value, np.float32).reshape(())))


def histogram(tag: str, values: Any) -> bytes:
    """Counts in BUCKETS equal buckets: rows of left end, right end, count."""
    flat = np.ravel(np.asarray(values, np.float64))
    rows = np.zeros((BUCKETS, 3))
    if flat.size and flat.min() == flat.max():
        rows[:, :2], rows[-1, 2] = flat[0], flat.size
    elif flat.size:
        counts, edges = np.histogram(flat[np.isfinite(flat)], BUCKETS)
        rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
    return summary(tag, "histograms", tensor(rows))


def image(tag: str, images: np.ndarray) -> bytes:
    """Images (n, h, w, channels), floats in [0, 1] or bytes; at most IMAGES are kept."""
    if images.dtype != np.uint8:
        images = np.clip(np.nan_to_num(images) * 255.5, 0, 255).astype(np.uint8)
    _, height, width, _ = images.shape
    texts = [str(width).encode(), str(height).encode(), *(png(one) for one in images[:IMAGES])]
    return summary(tag, "images", strings(texts, (len(texts),)))


def text(tag: str, plugin: str, value: str, content: bytes = b"") -> bytes:
    return summary(tag, plugin, strings([value.encode()], ()), content)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of (h, w, channels) bytes: 1 channel is grey, 3 are colours, 4 with transparency."""
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows.tobytes())), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# --- files --------------------------------------------------------------------------------------------------

_made = 0


class EventFile:
    """A new event file in a folder, which is made if needed; the same folder may hold several."""

    def __init__(self, folder: str):
        global _made
        os.makedirs(folder, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{_made}.v2"
        _made += 1
        self.path = os.path.join(folder, name)
        self._file = open(self.path, "xb")  # noqa: SIM115 - closed by close()
        self._write(field(3, "brain.Event:2"))

    def _write(self, event: bytes) -> None:
        self._file.write(framed(field(1, time.time()) + event))

    def add(self, summary: bytes, step: int) -> None:
        """Append a summary."""
        self._write((field(2, int(step)) if step else b"") + field(5, summary))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
