"""Files that are no longer what their reader expects: by chance, and by intent."""

import io
import json
import os
import random
import shutil
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Mutation = Callable[[bytes, random.Random], bytes]
LONG = 140_000  # characters: the csv module refuses a field of 131,073

# What a person, a spreadsheet or an attacker may write into a field.
VALUES = [
    *("", " ", "nan", "NaN", "inf", "-inf", "<NA>", "NA", "null", "None", "True", "0x10", "1_0"),
    *("-1", "0", "2", "1.5", "1e309", "-1e309", "1e-400", "1,5", "9" * 400, "9" * 5000, "1" * LONG),
    *("=1+1", "=cmd|' /C calc'!A1", "+1", "@SUM(A1)", "-2+3", "\t=1", "x" * LONG, "a" * 300),
    *("\u202eabc", "\u200b", "e\u0301", "\ufeff", "ñ", "\udcff", "\0", "a\nb", '"', '"""', "a,b"),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "{x}",
        "%s",
        "[/x]",
        "$a^",
        "2025-13-45",
    ),
    *("1/1/0000", "99/99/9999", "01-01-0001", "1/1/1e5", "train", "test", "validation", "M", "m"),
]
JSON_VALUES: list[Any] = [
    *(None, True, 0, -1, 1e300, 10**40, "", "x" * LONG, "\udcff", [], {}, [[]], {"a": {}}),
    *(float("nan"), float("inf"), [None], "../../etc/passwd", "\0", "[/x]"),
]


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def flip_head(data: bytes, rng: random.Random) -> bytes:
    """Where the sizes of most formats stand."""
    return flip(data[:128], rng) + data[128:]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def zero_tail(data: bytes, rng: random.Random) -> bytes:
    """As a crash before the data reached the disk leaves it."""
    kept = rng.randrange(len(data))
    return data[:kept] + bytes(len(data) - kept)


def repeat(data: bytes, rng: random.Random) -> bytes:
    return data * rng.randint(2, 50)


def insert(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + rng.randbytes(rng.randint(1, 300)) + data[place:]


def cut_out(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.randint(1, 60) :]


def large_number(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    number = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\x7f"])
    return data[:place] + number + data[place + len(number) :]


def replace_all(data: bytes, rng: random.Random) -> bytes:
    return rng.choice(
        [
            b"",
            b"\n",
            bytes(len(data)),
            rng.randbytes(len(data)),
            b"\xef\xbb\xbf",
            data.decode("latin-1").encode("utf-16"),
            b'"' * 1000,
            b"," * LONG,
            b"[" * LONG,
            b"a" * 2_000_000,
            b"PK\x05\x06" + bytes(18),
            b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
        ]
    )


BYTES: list[Mutation] = [
    *(flip, flip_head, flip_head, truncate, zero_tail, repeat, insert, cut_out, large_number),
    replace_all,
]


def of_csv(data: bytes, rng: random.Random) -> bytes:
    """A table with a hostile field, row or column."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
    value = rng.choice(VALUES)
    how = rng.randrange(9)
    if how < 4:
        rows[row][column] = value
    elif how == 4:
        rows = [[*each[:column], value, *each[column + 1 :]] for each in rows[:1]] + rows[1:]
    elif how == 5:
        rows = [each[:column] + each[column + 1 :] for each in rows]
    elif how == 6:
        rows += [rows[rng.randrange(len(rows))]] * rng.choice([1, 8000])
    elif how == 7:
        rows = [[*each, each[column]] for each in rows]
    else:
        rows = rows[: rng.randrange(len(rows))]
    quote = rng.choice([str, lambda text: f'"{text}"'])
    text = "\n".join(",".join(map(quote, each)) for each in rows)
    return text.encode(errors="surrogateescape")


def of_json(data: bytes, rng: random.Random) -> bytes:
    """A record with a hostile value, without a key, or nested too deeply."""
    content = json.loads(data)
    value = rng.choice(JSON_VALUES)
    if isinstance(content, dict) and content and rng.random() < 0.7:
        key = rng.choice(list(content))
        content = {name: each for name, each in content.items() if name != key}
        content |= {key: value} if rng.random() < 0.8 else {}
    else:
        content = value
    if rng.random() < 0.05:
        return b'{"a":' * 100_000
    return json.dumps(content).encode()


def of_npy(data: bytes, rng: random.Random) -> bytes:
    """An array of another type, shape or order, or with a header that lies."""
    array = np.load(io.BytesIO(data))
    hostile: list[Any] = [
        *(array[0], array[None], array[..., None], array[:0], array[:, :0], array.T, array[0, 0]),
        *(array.astype(complex), array.astype("S9"), array.astype("U9"), array > 0),
        *(array.astype(">f8"), np.asfortranarray(array), array.astype("M8[s]")),
        *(array * np.nan, array * np.inf, np.zeros((0, 0)), np.zeros(len(array), "i4,f8")),
        np.concatenate([array[:-1], array[-1:] * np.nan]),
    ]
    file = io.BytesIO()
    with np.errstate(all="ignore"):
        np.save(file, rng.choice(hostile))
    if rng.random() < 0.3:
        shape = rng.choice([f"({2**62}, 2)", "(-1, 2)", f"({len(array)}, {2**40})", "('a',)", "5"])
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data[128:]
    return file.getvalue()


def of_npz(data: bytes, rng: random.Random) -> bytes:
    """An archive of arrays, one of which is hostile, missing, packed too well, or no array."""
    with np.load(io.BytesIO(data)) as arrays:
        content = dict(arrays)
    name = rng.choice(list(content))
    file, array = io.BytesIO(), content.pop(name)
    how = rng.randrange(5)
    if how == 0:
        np.savez(file, **content)
    elif how == 1:
        np.savez(file, **content, **{name: np.atleast_2d(array)[:, :-1]})
    elif how == 2:
        np.savez(file, **content, **{name: array * np.nan})
    elif how == 3:
        np.savez(file, **content, **{name: array.astype(rng.choice(["U9", "c16", "M8[s]"]))})
    else:
        np.savez(file, **content)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"{name}.npy", npy_head((2**28, 8)) + bytes(64 * 2**20))
    return file.getvalue()


def npy_head(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def of_zip(data: bytes, rng: random.Random) -> bytes:
    """A zip with a member that leads elsewhere, is no file, or unpacks to too much."""
    file = io.BytesIO(data)
    names = [
        *("../x.csv", "/x.csv", "C:\\x.csv", "a\0b.csv", "trainset/" + "n" * 300 + ".jpg"),
        *("trainset", "trainset/P1", "x/" * 3000 + "a.csv", "\u202e.csv", "", ".", "a" * 65_000),
    ]
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(rng.choice(names))
        info.external_attr = rng.choice([0, 0o120777 << 16, 0o010644 << 16])
        info.compress_type = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
        archive.writestr(info, rng.choice([b"", b"ID\n", bytes(5_000_000)]))
    if rng.random() < 0.1:
        return b"PK\x05\x06" + bytes(18)  # an empty zip
    return file.getvalue()


def png_bomb(side: int = 6_000) -> bytes:
    """A valid PNG, small on disk, of side x side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * side)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# What may lie at the path of a file.
def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket has at most 108 characters
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _device(path: Path) -> None:
    path.symlink_to(os.devnull)


def _dangling(path: Path) -> None:
    path.symlink_to("somebody@host.1234:1700000000")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _missing(path: Path) -> None: ...


PLACES = [_folder, _pipe, _socket, _endless, _device, _dangling, _loop, _missing]


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
