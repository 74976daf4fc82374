"""Experiments of Ray Tune and Ray Train."""

from __future__ import annotations

from typing import Any

from jupyter_storage.errors import InvalidRequest
from jupyter_storage.server.handler import StorageHandler, authenticated, authorized

__all__ = ["ROUTES"]


class ExperimentsHandler(StorageHandler):
    """Experiments below a directory."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Find them, the newest first."""
        path = self.tier_path(self.get_query_argument("path"))
        cursor = self.get_query_argument("cursor", None)
        limit = self.limit()
        await self.reply(
            await self.call(self.service.experiments, path, cursor=cursor, limit=limit)
        )


class ExperimentHandler(StorageHandler):
    """One experiment."""

    @authenticated
    @authorized
    async def get(self, tier: str, key: str | None) -> None:
        """Describe it; or say how much it holds."""
        path = self.on_tier(tier, key or "")
        ask = self.service.measure_experiment if self.flag("measure") else self.service.experiment
        await self.reply(await self.call(ask, path))

    @authenticated
    @authorized
    async def delete(self, tier: str, key: str | None) -> None:
        """Start to delete it with all its checkpoints."""
        path = self.on_tier(tier, key or "")
        force = self.flag("force")
        await self.reply(await self.call(self.service.delete_experiments, [path], force=force), 202)


class JudgingHandler(StorageHandler):
    """Handlers that take a metric."""

    def judged(self) -> dict[str, Any]:
        """Read by which metric, and whether less or more of it is better."""
        mode = self.get_query_argument("mode", None)
        if mode not in {None, "min", "max"}:
            raise InvalidRequest("'mode' is min or max")
        return {"metric": self.get_query_argument("metric", None), "mode": mode}


class TrialsHandler(JudgingHandler):
    """Trials of an experiment."""

    @authenticated
    @authorized
    async def get(self, tier: str, key: str | None) -> None:
        """Give a page of them, the best first; or one with its curve and checkpoints."""
        path = self.on_tier(tier, key or "")
        trial = self.get_query_argument("trial", None)
        if trial is not None:
            details = await self.call(self.service.trial, path, trial, **self.judged())
            await self.reply(details)
            return
        page = await self.call(
            self.service.trials,
            path,
            cursor=self.get_query_argument("cursor", None),
            limit=self.limit(),
            **self.judged(),
        )
        await self.reply(page)


class CheckpointHandler(JudgingHandler):
    """The best checkpoint of an experiment."""

    @authenticated
    @authorized
    async def get(self, tier: str, key: str | None) -> None:
        """Find it, of one trial or of all."""
        best = await self.call(
            self.service.best_checkpoint,
            self.on_tier(tier, key or ""),
            trial_id=self.get_query_argument("trial", None),
            **self.judged(),
        )
        await self.reply(best)


ROUTES = [
    (r"experiments", ExperimentsHandler),
    (r"experiments/([^/]+)(?:/(.*))?", ExperimentHandler),
    (r"trials/([^/]+)(?:/(.*))?", TrialsHandler),
    (r"best-checkpoint/([^/]+)(?:/(.*))?", CheckpointHandler),
]
