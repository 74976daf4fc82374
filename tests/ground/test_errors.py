from __future__ import annotations

import errno
import inspect

import pytest

from jupyter_storage import errors
from jupyter_storage.errors import NoSpace, NotFound, StorageError, from_os_error

FAMILY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, StorageError)
]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_has_a_status_and_a_way_out(kind):
    error = kind("Something happened", path="shared:a")
    assert 400 <= error.status < 600
    assert error.exit_status in {1, 2}
    assert error.hint
    assert str(error) == "shared:a: Something happened"
    assert kind.__name__ in errors.__all__


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOENT, NotFound), (errno.ENOSPC, NoSpace), (12345, StorageError)]
)
def test_operating_system_errors_join_the_family(number, kind):
    error = from_os_error(OSError(number, "said the kernel"), "a/b")
    assert type(error) is kind
    assert error.path == "a/b"


def test_a_path_in_the_message_is_not_said_twice():
    assert str(NotFound("There is no 'x:'", path="x:")) == "There is no 'x:'"
