from __future__ import annotations

import json
import os

import pytest
from synthetic_experiments import write_train, write_tune

from jupyter_storage.server.document import request_validator


@pytest.fixture
def experiments(tier):
    write_tune(tier / "team/cats")
    write_train(tier / "birds")
    for path in tier.rglob("*.json"):
        os.utime(path, (1.7e9, 1.7e9 + (path.parent.name == "cats")))
    return tier


async def answer(api, path, schema, *, method="GET", status=200):
    response = await api(method, path)
    assert response.code == status, response.body
    body = json.loads(response.body)
    request_validator(schema).validate(body)
    return body


async def test_experiments_of_a_directory_come_in_pages(api, experiments):
    first = await answer(api, "experiments?path=shared:&limit=1", "Experiments")
    assert [each["path"] for each in first["experiments"]] == ["shared:team/cats"]
    assert first["complete"]
    rest = await answer(api, f"experiments?path=shared:&cursor={first['cursor']}", "Experiments")
    assert [each["path"] for each in rest["experiments"]] == ["shared:birds"]
    assert rest["cursor"] is None


async def test_an_experiment_its_trials_and_its_best_checkpoint(api, experiments):
    experiment = await answer(api, "experiments/shared/team/cats", "Experiment")
    assert (experiment["trials"], experiment["metric"]) == (3, "score")
    measured = await answer(api, "experiments/shared/team/cats?measure=1", "Plan")
    assert measured["files"] == 20
    trials = await answer(api, "trials/shared/team/cats?mode=min&limit=2", "Trials")
    assert [trial["id"] for trial in trials["trials"]] == ["ab12c_00000", "ab12c_00001"]
    details = await answer(api, "trials/shared/team/cats?trial=ab12c_00001", "TrialDetails")
    assert details["curve"]["values"] == [1.1, 1.5, 1.9, 1.4, 1.3]
    best = await answer(api, "best-checkpoint/shared/team/cats", "Checkpoint")
    assert best["path"] == "shared:team/cats/train_ab12c_00002_2_lr=2/checkpoint_000002"


async def test_what_is_asked_wrongly_is_refused(api, experiments):
    for path, status in {
        "experiments": 400,
        "experiments?path=s3://bucket/": 404,
        "experiments?path=/etc": 404,
        "experiments/shared/nosuch": 404,
        "experiments/shared/%2e%2e/x": 400,
        "trials/shared/team": 404,
        "trials/shared/team/cats?mode=most": 400,
        "trials/shared/team/cats?metric=none": 400,
        "best-checkpoint/none/x": 404,
    }.items():
        response = await api("GET", path)
        assert response.code == status, (path, response.body)


async def test_an_experiment_is_deleted_and_only_an_experiment(api, experiments, service):
    response = await api("DELETE", "experiments/shared/team")
    assert response.code == 404
    record = await answer(
        api, "experiments/shared/team/cats", "Transfer", method="DELETE", status=202
    )
    assert service.wait(record["id"], 30).state == "done"
    assert not (experiments / "team/cats").exists()
    os.utime(experiments / "birds/checkpoint_manager_snapshot.json")
    assert (await api("DELETE", "experiments/shared/birds")).code == 400
    assert (await api("DELETE", "experiments/shared/birds?force=1")).code == 202
