"""Frozen records: what floors hand each other, and the wire format of REST and ``--json``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_storage.records.experiments import (
        CheckpointRecord,
        Curve,
        ExperimentPage,
        ExperimentRecord,
        TrialDetails,
        TrialPage,
        TrialRecord,
    )
    from jupyter_storage.records.files import Change, Entry, Page, UnfinishedUpload, Usage
    from jupyter_storage.records.history import (
        CellDifference,
        CellRestored,
        Comparison,
        Difference,
        FileComparison,
        FileVersion,
    )
    from jupyter_storage.records.looking import Column, Finding, Preview, PreviewCell
    from jupyter_storage.records.snapshots import (
        RestorePlan,
        RestoreProgress,
        RestoreRecord,
        SnapshotRecord,
        SnapshotStatus,
    )
    from jupyter_storage.records.storages import (
        ApplyPlan,
        ApplyStep,
        MountRecord,
        NodeMountRecord,
        StorageRecord,
    )
    from jupyter_storage.records.tiers import TierRecord
    from jupyter_storage.records.transfers import (
        Bench,
        ConflictPolicy,
        Failure,
        InTheWay,
        Plan,
        SyncChange,
        TransferRecord,
        TransferState,
        UploadRecord,
    )
    from jupyter_storage.records.trash import RemovalPlan, TrashRecord
    from jupyter_storage.records.usage import Advice, UsageReport
    from jupyter_storage.records.wire import to_wire

__all__ = [
    "Advice",
    "ApplyPlan",
    "ApplyStep",
    "Bench",
    "CellDifference",
    "CellRestored",
    "Change",
    "CheckpointRecord",
    "Column",
    "Comparison",
    "ConflictPolicy",
    "Curve",
    "Difference",
    "Entry",
    "ExperimentPage",
    "ExperimentRecord",
    "Failure",
    "FileComparison",
    "FileVersion",
    "Finding",
    "InTheWay",
    "MountRecord",
    "NodeMountRecord",
    "Page",
    "Plan",
    "Preview",
    "PreviewCell",
    "RemovalPlan",
    "RestorePlan",
    "RestoreProgress",
    "RestoreRecord",
    "SnapshotRecord",
    "SnapshotStatus",
    "StorageRecord",
    "SyncChange",
    "TierRecord",
    "TransferRecord",
    "TransferState",
    "TrashRecord",
    "TrialDetails",
    "TrialPage",
    "TrialRecord",
    "UnfinishedUpload",
    "UploadRecord",
    "Usage",
    "UsageReport",
    "to_wire",
]

_MODULES = {
    "experiments": (
        "CheckpointRecord",
        "Curve",
        "ExperimentPage",
        "ExperimentRecord",
        "TrialDetails",
        "TrialPage",
        "TrialRecord",
    ),
    "files": (
        "Change",
        "Entry",
        "Page",
        "UnfinishedUpload",
        "Usage",
    ),
    "history": (
        "CellDifference",
        "CellRestored",
        "Comparison",
        "Difference",
        "FileComparison",
        "FileVersion",
    ),
    "looking": (
        "Column",
        "Finding",
        "Preview",
        "PreviewCell",
    ),
    "snapshots": (
        "RestorePlan",
        "RestoreProgress",
        "RestoreRecord",
        "SnapshotRecord",
        "SnapshotStatus",
    ),
    "storages": (
        "ApplyPlan",
        "ApplyStep",
        "MountRecord",
        "NodeMountRecord",
        "StorageRecord",
    ),
    "tiers": ("TierRecord",),
    "transfers": (
        "Bench",
        "ConflictPolicy",
        "Failure",
        "InTheWay",
        "Plan",
        "SyncChange",
        "TransferRecord",
        "TransferState",
        "UploadRecord",
    ),
    "trash": (
        "RemovalPlan",
        "TrashRecord",
    ),
    "usage": (
        "Advice",
        "UsageReport",
    ),
    "wire": ("to_wire",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load records when they are used: to make a class costs more than most commands take."""
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
