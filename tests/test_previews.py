"""What files look like before anybody opens them, made with the programs that write such files."""

from __future__ import annotations

import gzip
import json
import struct
import sys
from datetime import datetime, timezone

import pyarrow
import pytest
from pyarrow import parquet

from jupyter_storage.errors import NotFound
from jupyter_storage.previews import preview
from jupyter_storage.stores.forwarding import ForwardingStore
from jupyter_storage.stores.local import LocalStore


class Counting(ForwardingStore):
    """Counts what is read, as a bucket would put it on the bill."""

    def __init__(self, store):
        super().__init__(store)
        self.bytes = self.requests = 0

    def read(self, key, *, offset=0, length=None):
        data = super().read(key, offset=offset, length=length)
        self.bytes += len(data)
        self.requests += 1
        return data


@pytest.fixture
def store(tmp_path):
    return Counting(LocalStore(tmp_path))


def shown(store, name, data):
    (store.inner.root / name).write_bytes(data)
    return preview(store, name)


def test_the_beginning_of_a_text_is_shown_and_no_more_of_it_is_read(store):
    seen = shown(store, "a.log", b"line\n" * 1_000_000)
    assert seen.kind == "text"
    assert seen.text.startswith("line\nline\n")
    assert not seen.complete
    assert store.bytes <= 64 * 1024


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf-8", "Größe ✓ 日本".encode()),
        ("utf-8-sig", "Größe".encode("utf-8-sig")),
        ("utf-16", "Größe".encode("utf-16")),
        ("utf-16-le", "Grosse Dateien".encode("utf-16-le")),
        ("utf-16-be", "Grosse Dateien".encode("utf-16-be")),
        ("utf-32", "Größe".encode("utf-32")),
    ],
)
def test_the_encoding_is_found_out(store, encoding, data):
    seen = shown(store, "a.txt", data)
    assert (seen.kind, seen.encoding, seen.text) == ("text", encoding, data.decode(encoding))


def test_an_encoding_of_old_is_guessed(store):
    text = "Привет, как дела? Это обычный русский текст, в котором много слов и букв.\n" * 4
    assert shown(store, "a.txt", text.encode("cp1251")).text == text


def test_a_character_that_is_cut_at_the_end_of_the_head_is_left_out(store):
    seen = shown(store, "a.txt", b"x" + "é".encode() * 100_000)
    assert (seen.kind, seen.encoding) == ("text", "utf-8")
    assert set(seen.text) == {"x", "é"}


def test_characters_that_steer_a_screen_are_spelled_out(store):
    text = "a\x1b[31mred\x07 \x7f user\u202egnp.exe\u2066 \u200bhidden\r\nnext\tx"
    assert shown(store, "a.txt", text.encode()).text == (
        "a␛[31mred␇ ␡ user⟨U+202E⟩gnp.exe⟨U+2066⟩ ⟨U+200B⟩hidden\nnext\tx"
    )


def test_bytes_that_are_no_text_are_shown_as_numbers(store):
    seen = shown(store, "weights.bin", b"\x00\x01ABC\xff" * 1000)
    assert seen.kind == "binary"
    assert seen.text.startswith("00000000  00 01 41 42 43 ff 00")
    assert seen.text.split("\n")[0].endswith("..ABC...ABC...AB")
    assert not seen.complete


def test_a_csv_is_a_table_of_its_first_rows(store):
    lines = ['name;"two; words";n'] + [f'r{i};"a ""b""";{i}' for i in range(500)]
    seen = shown(store, "a.csv", "\n".join(lines).encode())
    assert seen.kind == "table"
    assert [column.name for column in seen.columns] == ["name", "two; words", "n"]
    assert seen.rows[1] == ("r1", 'a "b"', "1")
    assert len(seen.rows) == 200
    assert (seen.complete, seen.row_count) == (False, None)


def test_a_small_csv_says_how_many_rows_it_has_and_uneven_rows_are_made_even(store):
    seen = shown(store, "a.tsv", b"a\tb\n1\n1\t2\t3\n")
    assert seen.rows == (("1", None), ("1", "2"))
    assert (seen.complete, seen.row_count) == (True, 2)


def test_a_row_that_is_cut_is_left_out(store):
    seen = shown(store, "a.csv", b"a,b\n" + b"1," + b"x" * 30_000 + b"\n2," + b"y" * 60_000)
    assert [row[0] for row in seen.rows] == ["1"]
    assert seen.rows[0][1] == "x" * 300 + "…"


def test_what_is_compressed_is_shown_as_what_is_in_it_without_unpacking_all(store):
    seen = shown(store, "a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 10_000_000))
    assert seen.kind == "table"
    assert seen.rows[0] == ("1", "2")
    assert not seen.complete
    assert store.bytes <= 64 * 1024


def test_json_is_written_with_a_line_for_each_member(store):
    seen = shown(store, "a.json", b'{"a":[1,{"b":null}],"c":"\xc3\xa9"}')
    assert seen.kind == "json"
    assert seen.text == json.dumps({"a": [1, {"b": None}], "c": "é"}, indent=2, ensure_ascii=False)
    assert seen.complete


@pytest.mark.parametrize("data", [b'{"a": ', b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json_that_can_be_read_is_shown_as_text(store, data):
    seen = shown(store, "a.json", data)
    assert seen.kind == "text"
    assert seen.text == data.decode()[: 64 * 1024]


def test_a_huge_json_is_shown_as_text_and_not_read_whole(store):
    seen = shown(store, "a.json", b"[" + b"1," * 4_000_000 + b"1]")
    assert (seen.kind, seen.complete) == ("text", False)
    assert store.bytes <= 64 * 1024


def test_lines_of_json_are_a_table(store):
    seen = shown(store, "a.jsonl", b'{"a": 1}\n{"b": [1, 2], "a": null}\n')
    assert [column.name for column in seen.columns] == ["a", "b"]
    assert seen.rows == (("1", None), (None, "[1, 2]"))


def test_a_notebook_is_shown_as_its_cells_without_outputs(store):
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"], "metadata": {}},
        {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/html": "<script>"}}]},
    ]
    seen = shown(store, "a.ipynb", json.dumps({"cells": cells, "nbformat": 4}).encode())
    assert seen.kind == "notebook"
    assert [(cell.cell_type, cell.source) for cell in seen.cells] == [
        ("markdown", "# Title\ntext"),
        ("code", "1 + 1"),
    ]


def test_a_notebook_that_is_none_is_shown_as_text(store):
    assert shown(store, "a.ipynb", b'{"cells": 3}').kind == "json"
    assert shown(store, "b.ipynb", b"not json").kind == "text"


def test_an_image_is_left_to_the_browser(store):
    seen = shown(store, "a.SVG", b"<svg/>")
    assert (seen.kind, seen.media_type, seen.text) == ("image", "image/svg+xml", "")
    assert store.bytes == 0


def test_of_parquet_the_schema_and_first_rows_are_read_and_not_the_file(store, tmp_path):
    count = 500_000
    table = pyarrow.table(
        {
            "n": pyarrow.array(range(count)),
            "time": [datetime(2026, 1, 2, tzinfo=timezone.utc)] * 5 + [None] * (count - 5),
            "text": [f"row {i}" for i in range(count)],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    seen = preview(store, "a.parquet")
    assert [(column.name, column.type) for column in seen.columns] == [
        ("n", "int64"),
        ("time", "timestamp[us, tz=UTC]"),
        ("text", "string"),
    ]
    assert seen.row_count == count
    assert len(seen.rows) == 50
    assert seen.rows[0] == ("0", "2026-01-02 00:00:00+00:00", "row 0")
    assert seen.rows[7] == ("7", None, "row 7")
    size = (tmp_path / "a.parquet").stat().st_size
    assert store.bytes < size / 3
    assert store.requests < 40


def test_parquet_with_rows_that_are_too_large_shows_its_schema(store, tmp_path):
    film = [bytes([i]) * 20_000_000 for i in range(3)]
    parquet.write_table(
        pyarrow.table({"film": film}), tmp_path / "a.parquet", compression="none", use_dictionary=[]
    )
    seen = preview(store, "a.parquet")
    assert [column.name for column in seen.columns] == ["film"]
    assert (seen.rows, seen.row_count) == ((), 3)
    assert "too large" in seen.hint
    assert store.bytes <= 32 * 2**20


@pytest.mark.parametrize("kept", [10, 300, 700])
def test_parquet_that_is_cut_off_says_so(store, tmp_path, kept):
    parquet.write_table(pyarrow.table({"a": list(range(1000))}), tmp_path / "b.parquet")
    seen = shown(store, "a.parquet", (tmp_path / "b.parquet").read_bytes()[:kept])
    assert seen.kind == "binary"
    assert "not a whole Parquet file" in seen.hint


def test_without_pyarrow_a_hint_says_what_to_install(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    seen = shown(store, "a.parquet", b"PAR1 and more")
    assert seen.kind == "binary"
    assert "pip install pyarrow" in seen.hint


def test_the_tensors_of_safetensors_are_listed(store):
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        }
    ).encode()
    seen = shown(store, "m.safetensors", struct.pack("<Q", len(header)) + header + bytes(24))
    assert seen.rows == (("w", "F32", "2 × 3"),)
    assert seen.row_count == 1
    assert shown(store, "n.safetensors", b"\xff" * 100).kind == "binary"


def test_what_has_no_content_says_what_it_is(store, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "out").symlink_to("/etc")
    assert shown(store, "e.txt", b"").kind == "empty"
    assert preview(store, "d").kind == "none"
    assert preview(store, "out").kind == "none"
    with pytest.raises(NotFound):
        preview(store, "missing")


def test_a_directory_of_this_machine_says_who_owns_a_file(store, tmp_path):
    seen = shown(store, "a.txt", b"x")
    assert seen.details["owner"] == (tmp_path / "a.txt").owner()
    assert seen.details["permissions"].startswith("-rw")
