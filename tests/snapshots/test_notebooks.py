"""Notebooks taken apart, compared, and one cell put back."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbdime.diffing.notebooks import reset_notebook_differ, set_notebook_diff_targets

from jupyter_storage.errors import InvalidRequest, NotFound
from jupyter_storage.snapshots.alignment import Pair, align
from jupyter_storage.snapshots.notebooks import Notebook, compare_cells, restore_cell
from jupyter_storage.snapshots.texts import compare_contents, unified

SOURCE = frozenset({"source"})


def cell(source, identifier=None, **more):
    value = {"cell_type": "code", "metadata": {}, "outputs": [], "source": source, **more}
    return value | ({"id": identifier} if identifier else {})


def write(cells, minor=5, indent=1, **more):
    return json.dumps(
        {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": minor, **more},
        indent=indent,
        ensure_ascii=False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"cells": []}',
        '{"cells": [], "nbformat": 3}',
        '{"cells": [1], "nbformat": 4}',
        '{"cells": {}, "nbformat": 4}',
        '{"cells": [], "nbformat": 4} and more',
        '{"cells": [{"a": 1},], "nbformat": 4}',
        '{"cells": [{"a": 1}',
        '{"cells": ' + "[" * 100_000,
    ],
)
def test_what_is_no_notebook_is_told(text):
    with pytest.raises(InvalidRequest, match="not a notebook"):
        Notebook.read(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CELLS = st.lists(
    st.builds(lambda source, outputs: cell(source, outputs=outputs), st.text(max_size=20), VALUES),
    min_size=1,
    max_size=5,
)


# The first one waits for nbdime to be imported.
@settings(deadline=None)
@given(CELLS, CELLS, st.data(), st.sampled_from([None, 1, 4]), VALUES)
def test_only_the_cell_changes_whatever_the_notebooks_hold(old, new, data, indent, metadata):
    # One that both have: else cells are told apart by what is in them.
    both = cell("both", "both")
    old = [*({**value, "id": f"c{number}"} for number, value in enumerate(old)), both]
    new = [*({**value, "id": f"c{number + 2}"} for number, value in enumerate(new)), both]
    now = write(new, indent=indent, metadata=metadata)
    index = data.draw(st.integers(0, len(old) - 2))
    text, number, replaced = restore_cell(write(old), now, f"c{index}")
    result = json.loads(text)
    assert result["cells"][number - 1] == old[index]
    others = [each for each in result["cells"] if each["id"] != f"c{index}"]
    assert others == [each for each in new if each["id"] != f"c{index}"]
    assert replaced == (f"c{index}" in [each["id"] for each in new])
    assert {k: v for k, v in result.items() if k != "cells"} == {
        k: v for k, v in json.loads(now).items() if k != "cells"
    }
    if replaced:
        chosen = next(each for each in Notebook.read(now).cells if each.id == f"c{index}")
        assert text.startswith(now[: chosen.start])
        assert text.endswith(now[chosen.end :])


def test_a_cell_that_is_gone_comes_after_the_one_that_it_came_after():
    old = write([cell("1", "a"), cell("2", "b"), cell("3", "c")])
    text, number, replaced = restore_cell(old, write([cell("0", "x"), cell("1", "a")]), "c")
    assert [each.id for each in Notebook.read(text).cells] == ["x", "a", "c"]
    assert (number, replaced) == (3, False)
    text, number, _ = restore_cell(old, write([cell("3", "c")]), "a")
    assert [each.id for each in Notebook.read(text).cells] == ["a", "c"]
    assert number == 1
    for empty in (write([]), write([], indent=None)):
        text, number, _ = restore_cell(old, empty, "b")
        assert [each.id for each in Notebook.read(text).cells] == ["b"]


def test_without_ids_the_cell_is_found_by_what_is_in_it():
    old = write([cell("import os"), cell("x = load('a')"), cell("plot(x)")], minor=4)
    now = write([cell("import os"), cell("x = load('b')"), cell("plot(x)")], minor=4)
    text, number, replaced = restore_cell(old, now, "2")
    assert text == old
    assert (number, replaced) == (2, True)


def test_ids_are_given_and_taken_as_the_format_wants():
    old = write([cell("one", "a"), cell("two", "b")])
    text, _, _ = restore_cell(old, write([cell("one")], minor=4), "b")
    assert ["id" in each for each in json.loads(text)["cells"]] == [False, False]
    text, _, _ = restore_cell(write([cell("one")], minor=4), write([], minor=5), "1")
    assert json.loads(text)["cells"][0]["id"]
    text, _, _ = restore_cell(write([cell("half \ud800")], minor=4), write([]), "1")
    assert json.loads(text.encode())["cells"][0]["source"] == "half \ud800"


def test_an_id_wins_over_a_number():
    old = write([cell("one", "2"), cell("two", "1")])
    text, _, _ = restore_cell(old, write([cell("x", "2"), cell("y", "1")]), "1")
    assert json.loads(text)["cells"][1]["source"] == "two"
    with pytest.raises(NotFound, match="no cell '3'"):
        restore_cell(old, old, "3")


def test_cells_with_new_ids_are_still_recognized():
    old = Notebook.read(write([cell("a = 1", "1"), cell("b = 2", "2")]))
    new = Notebook.read(write([cell("a = 1", "x"), cell("b = 22", "y"), cell("???", "z")]))
    assert align(old.cells, new.cells) == [Pair(0, 0), Pair(1, 1, SOURCE), Pair(None, 2)]


def test_a_cell_that_moved_goes_in_one_place_and_comes_in_another():
    old = Notebook.read(write([cell("a", "1"), cell("b", "2"), cell("c", "3"), cell("d", "4")]))
    new = Notebook.read(write([cell("b", "2"), cell("c!", "3"), cell("a", "1"), cell("d", "4")]))
    assert align(old.cells, new.cells) == [
        Pair(0, None),
        Pair(1, 0),
        Pair(2, 1, SOURCE),
        Pair(None, 2),
        Pair(3, 3),
    ]


@settings(deadline=None)
@given(
    *(
        st.lists(
            st.tuples(st.sampled_from("abcde"), st.sampled_from(["1", "2", "3", "4", "5", None])),
            max_size=7,
        )
        for _ in range(2)
    )
)
def test_every_cell_is_in_one_pair_and_in_order(before, after):
    old, new = (Notebook.read(write([cell(*each) for each in side])) for side in (before, after))
    pairs = align(old.cells, new.cells)
    assert [pair.before for pair in pairs if pair.before is not None] == [*range(len(before))]
    assert [pair.after for pair in pairs if pair.after is not None] == [*range(len(after))]
    for pair in pairs:
        if pair.before is not None and pair.after is not None:
            same = before[pair.before][0] == after[pair.after][0]
            assert ("source" in pair.changed) == (not same)


def test_rewritten_cells_without_ids_are_compared_while_a_person_waits():
    sources = ["\n".join(f"x{i}_{j} = {i * j}" for j in range(15)) for i in range(300)]
    old = Notebook.read(write([cell(source) for source in sources], minor=4))
    new = Notebook.read(write([cell(f"{source[::-1]}!") for source in sources], minor=4))
    began = time.process_time()
    assert len(align(old.cells, new.cells)) >= 300
    assert time.process_time() - began < 10


def test_more_cells_than_anybody_waits_for_are_compared_as_text():
    old = write([cell(str(number)) for number in range(2000)], minor=4)
    new = old.replace('"7"', '"seven"')
    found = compare_contents("a.ipynb", old.encode(), new.encode(), ("1", None))
    assert found.kind == "text"
    assert found.diff.count("\n+") == 1
    with pytest.raises(InvalidRequest, match="too many cells"):
        restore_cell(old, new, "8")
    known = write([cell(str(number), f"c{number}") for number in range(2000)])
    assert restore_cell(known, known.replace('"7"', '"seven"'), "c7")[0] == known


def test_what_other_users_of_nbdime_configure_changes_nothing_here():
    old = Notebook.read(write([cell("a", "1"), cell("b", "2")]))
    new = Notebook.read(write([cell("a", "1", outputs=[{}]), cell("c", "2", metadata={"x": 1})]))
    expected = [Pair(0, 0, frozenset({"outputs"})), Pair(1, 1, frozenset({"source", "metadata"}))]
    assert align(old.cells, new.cells) == expected
    set_notebook_diff_targets(sources=False, outputs=False, metadata=False)
    try:
        assert align(old.cells, new.cells) == expected
    finally:
        reset_notebook_differ()


def test_outputs_and_metadata_are_told_apart_from_the_source():
    old = Notebook.read(write([cell("a", "1"), cell("b", "2"), cell("c", "3", metadata={"t": 1})]))
    new = Notebook.read(
        write([cell("a", "1", outputs=[{}]), cell("b", "2", execution_count=7), cell("c", "3")])
    )
    found = list(compare_cells(old, new, unified))
    assert [each.change for each in found] == ["changed", "same", "changed"]
    assert [each.outputs_changed for each in found] == [True, False, False]
    assert [each.metadata_changed for each in found] == [False, False, True]
    assert not any(each.source_changed for each in found)


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "ä ö\n", "\n"]), max_size=12)


@given(LINES, LINES, st.booleans())
def test_a_unified_diff_is_what_patch_takes(tmp_path_factory, before, after, cut):
    old, new = "".join(before), "".join(after)
    new = new[:-1] if cut and new.endswith("\n") else new
    diff = unified(old, new)
    assert (diff == "") == (old == new)
    assert _patched(old, diff) == new


def _patched(old, diff):
    """Apply a diff by its own line numbers."""
    lines, result, at = old.splitlines(keepends=True), [], 0
    rows = diff.split("\n") if diff else []
    for number, row in enumerate(rows):
        if row.startswith("@@"):
            start, _, length = row.split()[1][1:].partition(",")
            first = int(start) - (1 if length != "0" else 0)
            result += lines[at:first]
            at = first
        elif row.startswith("\\"):
            continue
        else:
            end = "" if number + 1 < len(rows) and rows[number + 1].startswith("\\") else "\n"
            if row[0] in " -":
                assert lines[at] == row[1:] + end
                at += 1
            if row[0] in " +":
                result.append(row[1:] + end)
    return "".join(result + lines[at:])


def test_a_diff_of_very_different_files_takes_no_longer_than_reading_them():
    old = "".join(f"{i}\n" for i in range(60_000))
    new = "start\n" + "".join(f"{i * 7}\n" for i in range(60_000))
    diff = unified(old, new)
    assert diff.count("\n") > 100_000
    assert _patched(old, diff) == new
