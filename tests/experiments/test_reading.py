"""What is read of experiments: on a directory and on object storage alike."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from synthetic_experiments import trial_pair, write_state, write_train, write_tune

from jupyter_storage.errors import InvalidRequest, NotFound
from jupyter_storage.experiments import finding
from jupyter_storage.experiments.curves import POINTS, curve, reports
from jupyter_storage.experiments.finding import find
from jupyter_storage.experiments.reader import Reader
from jupyter_storage.stores.local import LocalStore
from jupyter_storage.stores.s3 import S3Store
from jupyter_storage.stores.store import Store


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with an experiment of Tune's, one of Train's, and other things."""
    root = tmp_path / "root"
    write_tune(root / "team/cats")
    write_train(root / "team/trained/birds")
    (root / "data/images").mkdir(parents=True)
    (root / "data/images/a.png").write_bytes(b"png")
    if request.param == "directory":
        return LocalStore(root)
    store = S3Store(request.getfixturevalue("moto_bucket"))
    for path in root.rglob("*"):
        if path.is_file():
            store.write(str(path.relative_to(root)), path.read_bytes())
    return store


def test_experiments_are_found_below_a_directory(store: Store) -> None:
    found, complete = find(store, "")
    assert sorted((each.key, each.kind) for each in found) == [
        ("team/cats", "tune"),
        ("team/trained/birds", "train"),
    ]
    assert complete


def test_trials_come_with_state_parameters_and_last_metrics(store: Store, reader: Reader) -> None:
    found = reader.found(store, "team/cats")
    experiment = reader.experiment(store, found)
    assert (experiment.trials, experiment.metric) == (3, "score")
    assert experiment.states == {"ERROR": 1, "TERMINATED": 2}
    page = reader.trials(store, found)
    assert [trial.id for trial in page.trials] == ["ab12c_00002", "ab12c_00001", "ab12c_00000"]
    best = page.trials[0]
    assert best.parameters == {"lr": 0.1 / 3, "net/width": 2}
    assert best.metrics == {"score": 2.3, "nothing": "nan"}
    assert (best.best, best.iterations) == (2.9, 5)


def test_trials_come_in_pages_and_by_another_order(store: Store, reader: Reader) -> None:
    found = reader.found(store, "team/cats")
    first = reader.trials(store, found, mode="min", limit=2)
    rest = reader.trials(store, found, mode="min", limit=2, cursor=first.cursor)
    names = [trial.id[-1] for page in (first, rest) for trial in page.trials]
    assert names == ["0", "1", "2"]
    assert rest.cursor is None


def test_a_trial_has_a_curve_checkpoints_and_a_size(store: Store, reader: Reader) -> None:
    found = reader.found(store, "team/cats")
    details = reader.details(store, found, "2")
    assert details.curve is not None
    assert details.curve.steps == (1, 2, 3, 4, 5)
    assert details.curve.values == (2.1, 2.5, 2.9, 2.4, 2.3)
    names = [each.name for each in details.checkpoints]
    assert names == ["checkpoint_000002", "checkpoint_000001", "checkpoint_000004"]
    assert details.checkpoints[0].size == 1002
    assert details.size == sum(
        entry.size or 0
        for entry in store.walk("team/cats/train_ab12c_00002_2_lr=2")
        if not entry.is_directory
    )


def test_the_best_checkpoint_is_one_that_is_still_there(store: Store, reader: Reader) -> None:
    found = reader.found(store, "team/cats")
    best = reader.best(store, found)
    assert best.path == "team/cats/train_ab12c_00002_2_lr=2/checkpoint_000002"
    store.delete_directory(best.path)
    assert reader.best(store, found).name == "checkpoint_000001"
    store.delete_directory("team/cats/train_ab12c_00002_2_lr=2")
    assert reader.best(store, found).trial == "ab12c_00001"
    assert reader.best(store, found, trial_id="0").trial == "ab12c_00000"


def test_a_run_of_train_is_one_trial(store: Store, reader: Reader) -> None:
    found = reader.found(store, "team/trained/birds")
    (trial,) = reader.trials(store, found).trials
    assert (trial.metrics, trial.best) == ({"loss": 0.9}, 0.2)
    details = reader.details(store, found, "birds")
    assert [each.metrics["loss"] for each in details.checkpoints] == [0.2, 0.5, 0.9]
    assert details.curve is not None
    assert details.curve.values == (0.5, 0.2, 0.9)


def test_what_is_no_experiment_says_so(store: Store, reader: Reader) -> None:
    with pytest.raises(NotFound, match="no experiment"):
        reader.found(store, "data")
    with pytest.raises(InvalidRequest, match="No trial reports 'loss'"):
        reader.trials(store, reader.found(store, "team/cats"), metric="loss")
    with pytest.raises(NotFound, match="no trial '99'"):
        reader.details(store, reader.found(store, "team/cats"), "99")


def test_nothing_is_unpickled(tmp_path: Path, reader: Reader) -> None:
    target = tmp_path / "it-was-run"
    write_tune(tmp_path / "root/cats", hostile=target)
    store = LocalStore(tmp_path / "root")
    found = find(store, "")[0][0]
    reader.experiment(store, found)
    reader.trials(store, found)
    reader.best(store, found)
    for number in range(3):
        reader.details(store, found, str(number))
    assert not target.exists()
    # The pickle would have done it.
    import pickle

    pickle.loads((tmp_path / "root/cats/tuner.pkl").read_bytes())
    assert target.exists()


def test_ten_thousand_trials_are_read_in_seconds(tmp_path: Path, reader: Reader) -> None:
    pairs = [
        trial_pair(number, state="TERMINATED", scores=[number % 97], directory=f"t_{number}")
        for number in range(10_000)
    ]
    path = write_state(tmp_path / "large", pairs)
    assert path.stat().st_size > 150_000_000
    store = LocalStore(tmp_path)
    before = time.process_time()
    found = reader.found(store, "large")
    assert reader.experiment(store, found).trials == 10_000
    first = time.process_time() - before
    page = reader.trials(store, found, limit=50)
    again = time.process_time() - before - first
    path.unlink()
    assert page.total == 10_000
    assert {trial.best for trial in page.trials} == {96}
    assert first < 15
    assert again < first / 4


def test_the_state_is_read_anew_when_it_changed(tmp_path: Path, reader: Reader) -> None:
    pair = trial_pair(0, state="RUNNING", scores=[1.0], directory="t")
    path = write_state(tmp_path / "cats", [pair])
    store = LocalStore(tmp_path)
    assert reader.experiment(store, reader.found(store, "cats")).states == {"RUNNING": 1}
    write_state(tmp_path / "cats", [trial_pair(0, state="ERROR", scores=[1.0], directory="t")])
    os.utime(path, (2e9, 2e9))
    assert reader.experiment(store, reader.found(store, "cats")).states == {"ERROR": 1}


def test_the_newest_of_several_states_counts(tmp_path: Path, reader: Reader) -> None:
    path = write_state(tmp_path, [trial_pair(0, state="ERROR", scores=[1.0], directory="t")])
    path.rename(tmp_path / "experiment_state-2026-11-20_00-00-00.json")
    write_state(tmp_path, [trial_pair(0, state="RUNNING", scores=[1.0], directory="t")])
    store = LocalStore(tmp_path)
    assert reader.experiment(store, reader.found(store, "")).states == {"RUNNING": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"trial_data": ',
        '{"trial_data": [["{}", ',
        '{"trial_data": [["{}"]]}',
        '{"trial_data": [[1, 2]]}',
        '{"trial_data": [["not json", "{}"]]}',
        '{"trial_data": ' + "[" * 100_000,
        '{"trial_data": [] "no comma"}',
    ],
)
def test_a_broken_state_is_an_error_that_names_it(
    text: str, tmp_path: Path, reader: Reader
) -> None:
    (tmp_path / "experiment_state-1.json").write_text(text)
    store = LocalStore(tmp_path)
    with pytest.raises(InvalidRequest) as caught:
        reader.experiment(store, reader.found(store, ""))
    assert caught.value.path == "experiment_state-1.json"


def test_a_trial_cannot_lead_out_of_its_experiment(tmp_path: Path, reader: Reader) -> None:
    names = ["../secret", "/etc", "..", "a/b", "", 7]
    pairs = [
        trial_pair(number, state="ERROR", scores=[1.0], directory=name)  # type: ignore[arg-type]
        for number, name in enumerate(names)
    ]
    write_state(tmp_path / "cats", pairs)
    store = LocalStore(tmp_path)
    found = reader.found(store, "cats")
    assert {trial.path for trial in reader.trials(store, found).trials} == {None}
    assert reader.details(store, found, "0").files == 0


def test_a_long_curve_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    # 18 MB, of which pieces are read.
    with (tmp_path / "result.json").open("w") as file:
        for step in range(1, 60_001):
            file.write(json.dumps({"score": step / 2, "training_iteration": step, "x": "y" * 250}))
            file.write("\n")
    read = reports(LocalStore(tmp_path), "")
    thin = curve(read.metrics, "score")
    assert len(thin.steps) == len(thin.values) == POINTS
    assert (thin.steps[0], thin.steps[-1]) == (1, 60_000)
    assert all(value == step / 2 for step, value in zip(thin.steps, thin.values, strict=True))


def test_a_curve_comes_from_csv_where_there_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "progress.csv").write_text(
        "score,note,training_iteration\n1,a,1\nnan,b,2\n3,c,3\n4"
    )
    read = reports(LocalStore(tmp_path), "")
    assert curve(read.metrics, "score").values == (1, None, 3)


def test_a_search_ends_after_so_many_directories(tmp_path: Path, monkeypatch) -> None:
    for number in range(30):
        (tmp_path / f"d{number:02d}").mkdir()
    write_train(tmp_path / "d00/run")
    write_train(tmp_path / "1/2/3/4/5/too-deep")
    store = LocalStore(tmp_path)
    found, complete = find(store, "")
    assert [each.key for each in found] == ["d00/run"]
    assert not complete
    monkeypatch.setattr(finding, "MOST", 10)
    assert find(store, "") == ([], False)
