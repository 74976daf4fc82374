from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_storage.records import Entry
from jupyter_storage.sums import Sums

PARTS = st.lists(st.sampled_from(["a", "b", "a-b", "ü"]), min_size=1, max_size=4)
ENTRIES = st.lists(st.tuples(PARTS, st.integers(0, 100) | st.none()), max_size=12)


def rows(sums: Sums) -> list[tuple[str, int, int]]:
    return [(row.path, row.files, row.size) for row in sums.rows()]


def entry(path: str, size: int | None = None) -> Entry:
    return Entry(path, path.rpartition("/")[2], "directory" if size is None else "file", size)


def test_each_level_has_a_sum_the_largest_first_and_all_together_last() -> None:
    entries = [entry("top/a/x", 1), entry("top/b/c/y", 5), entry("top/z", 2), entry("top/e")]
    assert rows(Sums("top", 1).add(entries)) == [
        ("top/b", 1, 5),
        ("top/a", 1, 1),
        ("top/e", 0, 0),
        ("top", 3, 8),
    ]
    assert rows(Sums("top", 0).add(entries)) == [("top", 3, 8)]
    assert ("top/b/c", 1, 5) in rows(Sums("top", 2).add(entries))


@given(ENTRIES, ENTRIES, st.integers(0, 3), st.sampled_from(["", "top", "top/in"]))
def test_parts_put_together_are_the_whole(here, there, depth, top) -> None:
    def made(found):
        keys = ["/".join([*filter(None, [top]), *parts]) for parts, _ in found]
        return [entry(key, size) for key, (_, size) in zip(keys, found, strict=True)]

    whole = Sums(top, depth).add([*made(here), *made(there)])
    parts = Sums(top, depth).add(made(here))
    parts.merge(Sums(top, depth).add(made(there)))
    assert rows(parts) == rows(whole)
