"""Reads event files with the protobuf library and a checksum of its own: nothing of the writer's code."""

from __future__ import annotations

import glob
import os
import struct
from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# name: (number, type, label); types: 1 double, 3 int64, 5 int32, 9 string, 12 bytes, or a message.
MESSAGES: dict[str, dict[str, tuple[int, Any, bool]]] = {
    "Dim": {"size": (1, 3, False)},
    "Shape": {"dim": (2, "Dim", True)},
    "Tensor": {
        "dtype": (1, 5, False),
        "shape": (2, "Shape", False),
        "content": (4, 12, False),
        "floats": (5, 2, True),
        "doubles": (6, 1, True),
        "strings": (8, 12, True),
    },
    "PluginData": {"name": (1, 9, False), "content": (2, 12, False)},
    "Metadata": {"plugin": (1, "PluginData", False), "data_class": (4, 5, False)},
    "Value": {"tag": (1, 9, False), "metadata": (9, "Metadata", False), "tensor": (8, "Tensor", False)},
    "Summary": {"value": (1, "Value", True)},
    "Event": {
        "wall_time": (1, 1, False),
        "step": (2, 3, False),
        "file_version": (3, 9, False),
        "summary": (5, "Summary", False),
    },
}


@cache
def event_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="events", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            made = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                made.type, made.type_name = 11, f".events.{kind}"
            else:
                made.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("events.Event"))


def crc32c(data: bytes) -> int:
    """The remainder of the bits as a polynomial, lowest bit first, divided by Castagnoli's."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 * (crc & 1))
    return crc ^ 0xFFFFFFFF


def mask(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def records(path: str) -> list[bytes]:
    with open(path, "rb") as file:
        data = file.read()
    found, place = [], 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        (check,) = struct.unpack_from("<I", data, place + 8)
        assert check == mask(crc32c(data[place : place + 8]))
        body = data[place + 12 : place + 12 + length]
        (check,) = struct.unpack_from("<I", data, place + 12 + length)
        assert len(body) == length and check == mask(crc32c(body))
        found.append(body)
        place += 16 + length
    return found


def tensor_of(tensor: Any) -> Any:
    """An array, or a list of byte strings."""
    shape = [dim.size for dim in tensor.shape.dim]
    if tensor.dtype == 7:
        assert len(tensor.strings) == int(np.prod(shape))
        return list(tensor.strings)
    dtype = {1: "<f4", 2: "<f8"}[tensor.dtype]
    given = tensor.floats if tensor.dtype == 1 else tensor.doubles
    flat = np.frombuffer(tensor.content, dtype) if tensor.content else np.asarray(given, dtype)
    return flat.reshape(shape)


def read(folder: str) -> list[dict[str, Any]]:
    """All summaries below a folder, in the order of their files' names: run, tag, plugin, step, value."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "**", "events.out.tfevents.*"), recursive=True)):
        events = [event_class().FromString(record) for record in records(path)]
        assert events[0].file_version == "brain.Event:2" and all(event.wall_time > 1e9 for event in events)
        for event in events[1:]:
            for value in event.summary.value:
                found.append(
                    {
                        "run": os.path.relpath(os.path.dirname(path), folder),
                        "tag": value.tag,
                        "plugin": value.metadata.plugin.name,
                        "content": value.metadata.plugin.content,
                        "data_class": value.metadata.data_class,
                        "step": event.step,
                        "value": tensor_of(value.tensor),
                    }
                )
    return found
