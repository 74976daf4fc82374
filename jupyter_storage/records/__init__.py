"""Frozen records: what floors hand each other, and the wire format of REST and ``--json``."""

from jupyter_storage.records.files import Change, Entry, Page, UnfinishedUpload, Usage
from jupyter_storage.records.history import (
    CellDifference,
    CellRestored,
    Comparison,
    Difference,
    FileComparison,
    FileVersion,
)
from jupyter_storage.records.snapshots import (
    RestorePlan,
    RestoreProgress,
    RestoreRecord,
    SnapshotRecord,
    SnapshotStatus,
)
from jupyter_storage.records.storages import ApplyPlan, ApplyStep, MountRecord, StorageRecord
from jupyter_storage.records.tiers import TierRecord
from jupyter_storage.records.transfers import (
    Bench,
    ConflictPolicy,
    Failure,
    Plan,
    SyncChange,
    TransferRecord,
    TransferState,
    UploadRecord,
)
from jupyter_storage.records.wire import to_wire

__all__ = [
    "ApplyPlan",
    "ApplyStep",
    "Bench",
    "CellDifference",
    "CellRestored",
    "Change",
    "Comparison",
    "ConflictPolicy",
    "Difference",
    "Entry",
    "Failure",
    "FileComparison",
    "FileVersion",
    "MountRecord",
    "Page",
    "Plan",
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
    "UnfinishedUpload",
    "UploadRecord",
    "Usage",
    "to_wire",
]
