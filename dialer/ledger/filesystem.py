"""What kind of file system a ledger lies on: locks and syncs of network file systems are not to be trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NETWORK: Final = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "lustre",
        "beegfs",
        "gpfs",
        "ncpfs",
        "fuse.sshfs",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.gcsfuse",
        "davfs",
        "fuse.davfs",
    }
)
"""Types whose locks or syncs end at this machine, or nowhere."""


def type_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system that ``path`` (or its nearest existing parent) lies on; None where nothing tells."""
    try:
        text = mounts.read_text("utf-8", "surrogateescape")
        place = path.absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        device = os.stat(place).st_dev  # noqa: PTH116  # follows links, as opening the file will
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        parts = fields.split()
        if len(parts) > 2 and parts[2] == wanted and rest:
            return rest.split()[0]
    return None


def is_network(kind: str | None) -> bool:
    """Whether a ledger must not lie on a file system of this type."""
    return kind in NETWORK
