# SPDX-License-Identifier: GPL-3.0-or-later
"""OBJ, OFF and PLY with every vertex and polygon in the file's own order.

Readers of libraries split vertices at texture seams or sort polygons by size; results here must fit the file line by
line. Every reader takes the file's bytes, returns (V, 3) float64 positions and (F, 3) int64 triangles, and raises
ValueError, with what is wrong, for bytes it cannot make sense of. A polygon of n corners is n - 2 triangles, a fan
around its first corner.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
PLY_CORNERS = ("vertex_indices", "vertex_index")


def fan_triangles(corners: Int64, sizes: Int64) -> Int64:
    """(F, 3) triangles of polygons, given all corners one after the other and how many each polygon has."""
    count = np.maximum(sizes - 2, 0)
    polygon = np.repeat(np.arange(len(sizes)), count)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(count) - count, count)
    first = (np.cumsum(sizes) - sizes)[polygon]
    return corners[np.stack([first, first + step + 1, first + step + 2], axis=1)]


def read_obj(data: bytes) -> tuple[Float64, Int64]:
    """Wavefront OBJ: `v` and `f` lines of all objects together; negative indices count from the latest vertex."""
    positions: list[list[str]] = []
    corners: list[int] = []
    sizes: list[int] = []
    text = data.decode("utf-8", "replace").replace("\\\r\n", " ").replace("\\\n", " ")
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if words[0] == "v":
            positions.append(words[1:4])
        elif words[0] == "f":
            indices = [int(word.split("/", 1)[0]) for word in words[1:]]
            corners += [index - 1 if index > 0 else len(positions) + index for index in indices]
            if 0 in indices:
                raise ValueError("a face refers to vertex 0, but OBJ counts from 1")
            sizes.append(len(indices))
    return _positions(positions), fan_triangles(np.array(corners, np.int64), np.array(sizes, np.int64))


def read_off(data: bytes) -> tuple[Float64, Int64]:
    """OFF and its variants with colours, normals or texture coordinates behind the position."""
    lines = (line.split("#", 1)[0].split() for line in data.decode("utf-8", "replace").splitlines())
    words = iter([line for line in lines if line])
    header = next(words, [])
    if not header or not header[0].upper().endswith("OFF"):
        raise ValueError("the first line is not OFF")
    counts = header[1:] or next(words, [])
    if len(counts) < 2:
        raise ValueError("the numbers of vertices and faces are missing")
    vertex_count, face_count = int(counts[0]), int(counts[1])
    positions = [line[:3] for line in itertools.islice(words, vertex_count)]
    polygons = list(itertools.islice(words, face_count))
    if len(positions) < vertex_count or len(polygons) < face_count:
        raise ValueError("the file ends too early")
    sizes = np.array([int(line[0]) for line in polygons], np.int64)
    corners = [int(word) for line, size in zip(polygons, sizes, strict=True) for word in line[1 : size + 1]]
    if len(corners) != sizes.sum():
        raise ValueError("a face has fewer corners than it says")
    return _positions(positions), fan_triangles(np.array(corners, np.int64), sizes)


@dataclass
class _PlyElement:
    name: str
    count: int
    # property name -> (type of its list's length or "", type)
    properties: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def has_lists(self) -> bool:
        return any(length for length, _ in self.properties.values())


@dataclass
class _PlyTable:
    """Scalars by name, and lists by name as all items one after the other with the lengths."""

    scalars: dict[str, NDArray]
    lists: dict[str, tuple[NDArray, Int64]]


def read_ply(data: bytes) -> tuple[Float64, Int64]:
    """PLY, ASCII or binary of either byte order: `vertex` x y z and `face` vertex_indices."""
    order, elements, start = _ply_header(data)
    read = _read_ply_ascii if order == "" else _read_ply_binary
    tables = {element.name: table for element, table in zip(elements, read(data, start, elements), strict=True)}
    vertices = tables.get("vertex")
    if vertices is None or not {"x", "y", "z"} <= vertices.scalars.keys():
        raise ValueError("there are no vertices with x, y and z")
    positions = np.stack([vertices.scalars[axis].astype(np.float64) for axis in "xyz"], axis=1)
    lists = tables["face"].lists if "face" in tables else {}
    for name in PLY_CORNERS:
        if name in lists:
            corners, sizes = lists[name]
            return positions, fan_triangles(corners.astype(np.int64), sizes)
    return positions, np.zeros((0, 3), np.int64)


def _ply_header(data: bytes) -> tuple[str, list[_PlyElement], int]:
    """Byte order ("" for ASCII), elements, and where the body starts."""
    if data.split(None, 1)[:1] != [b"ply"]:
        raise ValueError("the first line is not ply")
    order: str | None = None
    elements: list[_PlyElement] = []
    position = 0
    while True:
        end = data.find(b"\n", position)
        if end < 0 or position > 1_000_000:
            raise ValueError("the header does not end")
        words = data[position:end].decode("utf-8", "replace").split()
        position = end + 1
        match words:
            case ["end_header"]:
                break
            case ["format", kind, *_]:
                order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}.get(kind)
            case ["element", name, count]:
                elements.append(_PlyElement(name, int(count)))
            case ["property", "list", length, kind, name] if elements:
                elements[-1].properties[name] = (_ply_type(length), _ply_type(kind))
            case ["property", kind, name] if elements:
                elements[-1].properties[name] = ("", _ply_type(kind))
    if order is None:
        raise ValueError("the header names no format")
    for element in elements:
        element.properties = {n: (a and order + a, order + b) for n, (a, b) in element.properties.items()}
    return order, elements, position


def _ply_type(name: str) -> str:
    if name not in PLY_TYPES:
        raise ValueError(f"unknown property type {name}")
    return PLY_TYPES[name]


def _read_ply_ascii(data: bytes, start: int, elements: list[_PlyElement]) -> Iterator[_PlyTable]:
    lines = (words for line in data[start:].decode("utf-8", "replace").splitlines() if (words := line.split()))
    for element in elements:
        rows = list(itertools.islice(lines, element.count))
        if len(rows) < element.count:
            raise ValueError("the file ends too early")
        yield _ply_table(element, (_ascii_row(element, row) for row in rows))


def _ascii_row(element: _PlyElement, words: list[str]) -> dict[str, NDArray]:
    row = {}
    at = 0
    for name, (length, kind) in element.properties.items():
        size = int(words[at]) if length and at < len(words) else 1
        at += bool(length)
        if at + size > len(words):
            raise ValueError(f"a line of element {element.name} is too short")
        row[name] = np.array(words[at : at + size]).astype(kind)
        at += size
    return row


def _read_ply_binary(data: bytes, start: int, elements: list[_PlyElement]) -> Iterator[_PlyTable]:
    for element in elements:
        table = _uniform_ply_table(element, data, start)
        if table is None:
            rows, start = _ragged_ply_rows(element, data, start)
            yield _ply_table(element, rows)
        else:
            yield table[0]
            start = table[1]


def _uniform_ply_table(element: _PlyElement, data: bytes, start: int) -> tuple[_PlyTable, int] | None:
    """Read an element whose lists are all as long as in its first row at once; None where they are not."""
    fields: list[tuple] = []
    at = start
    for name, (length, kind) in element.properties.items():
        if not length:
            fields.append((name, kind))
            at += np.dtype(kind).itemsize
            continue
        size = int(_read_items(data, at, length, 1)[0]) if element.count else 0
        fields += [(f"{name} length", length), (name, kind, (size,))]
        at += np.dtype(length).itemsize + size * np.dtype(kind).itemsize
    layout = np.dtype(fields)
    end = start + layout.itemsize * element.count
    if end > len(data):
        if element.has_lists:
            return None
        raise ValueError("the file ends too early")
    rows = np.frombuffer(data, layout, element.count, start)
    scalars, lists = {}, {}
    for name, (length, _) in element.properties.items():
        if not length:
            scalars[name] = rows[name]
            continue
        sizes = rows[f"{name} length"].astype(np.int64)
        if (sizes != rows[name].shape[1]).any():
            return None
        lists[name] = (rows[name].ravel(), sizes)
    return _PlyTable(scalars, lists), end


def _ragged_ply_rows(element: _PlyElement, data: bytes, start: int) -> tuple[list[dict[str, NDArray]], int]:
    rows = []
    for _ in range(element.count):
        row = {}
        for name, (length, kind) in element.properties.items():
            size = 1
            if length:
                size = int(_read_items(data, start, length, 1)[0])
                start += np.dtype(length).itemsize
            row[name] = _read_items(data, start, kind, size)
            start += row[name].nbytes
        rows.append(row)
    return rows, start


def _read_items(data: bytes, start: int, kind: str, count: int) -> NDArray:
    if count < 0 or start + count * np.dtype(kind).itemsize > len(data):
        raise ValueError("the file ends too early")
    return np.frombuffer(data, kind, count, start)


def _ply_table(element: _PlyElement, rows: Iterator[dict[str, NDArray]] | list[dict[str, NDArray]]) -> _PlyTable:
    columns: dict[str, list[NDArray]] = {name: [] for name in element.properties}
    for row in rows:
        for name, values in row.items():
            columns[name].append(values)
    table = _PlyTable({}, {})
    for name, cells in columns.items():
        joined = np.concatenate(cells) if cells else np.zeros(0)
        if element.properties[name][0]:
            table.lists[name] = (joined, np.array([len(cell) for cell in cells], np.int64))
        else:
            table.scalars[name] = joined
    return table


def _positions(words: list[list[str]]) -> Float64:
    if any(len(word) < 3 for word in words):
        raise ValueError("a vertex has fewer than three coordinates")
    return np.array([[float(x), float(y), float(z)] for x, y, z in words], np.float64).reshape(-1, 3)
