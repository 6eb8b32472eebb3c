"""What `leeway doctor` says of folders: home, objects and data.

Belongs here: looks at folders and the disks they are on, each with its remedy. Does not belong
here: servers (`cli.doctor_servers`), or which looks there are (`cli.doctor`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

import psutil

from cli.finding import Finding
from resources.settings import Settings

# As they are called also where they are mounted by FUSE, which writes `fuse.` before.
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "sshfs", "9p", "afpfs"}
NETWORK_FILE_SYSTEMS |= {"ceph", "ceph-fuse", "lustre", "glusterfs", "gpfs", "beegfs"}
NEEDED_BYTES = 2 * 1024**3

OTHER_HOME = "set LEEWAY_HOME to a folder on a local disk that you may write to"
OTHER_STORE = (
    "set LEEWAY_STORE_URL to a folder on a local disk that you may write to and that has at least "
    "2 GiB free, or unset it to keep objects below LEEWAY_HOME"
)
OTHER_DATA = "set LEEWAY_DATA_DIR to a folder that you may read, or unset it to download"

Mounts = Sequence[tuple[str, str]]  # where and what kind, in the order in which they were mounted


def _existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _unwritable(folder: Path) -> str | None:
    """Why nothing can be written into the folder; None when it can."""
    try:
        # Has no name and leaves nothing. To ask for the permission is not enough: root has it.
        TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return None


def home(settings: Settings) -> Finding:
    """Whether LEEWAY_HOME, or what it will be made in, can be written."""
    folder = _existing(settings.home)
    detail = f"{settings.home} ({settings.environment})"
    if why := _unwritable(folder):
        return Finding("home", "error", f"{detail}: {why}", OTHER_HOME)
    if folder != settings.home:
        detail += "; the first command makes it"
    return Finding("home", "ok", detail)


def mounts() -> Mounts:
    """Every mount of this machine."""
    return [(mount.mountpoint, mount.fstype) for mount in psutil.disk_partitions(all=True)]


def _mount_of(folder: Path, mounts: Mounts) -> tuple[str, str] | None:
    """The mount that the folder is on: the innermost, and of several at one place the last."""
    found = [mount for mount in mounts if folder.is_relative_to(mount[0])]
    return max(reversed(found), key=lambda mount: len(mount[0]), default=None)


def _is_network(kind: str) -> bool:
    return kind.lower().removeprefix("fuse.") in NETWORK_FILE_SYSTEMS


def file_system(settings: Settings, mounts: Mounts) -> Finding:
    """Whether home is on a disk that the embedded PostgreSQL can trust."""
    mount = _mount_of(settings.home.resolve(), mounts)
    if mount is None:
        return Finding("file system", "warning", "unknown", OTHER_HOME)
    place, kind = mount
    detail = f"{kind} at {place}"
    if settings.database_url is None and _is_network(kind):
        return Finding(
            "file system",
            "error",
            f"{detail} is a network file system",
            "the embedded PostgreSQL needs a local disk: set LEEWAY_HOME, or LEEWAY_DATABASE_URL",
        )
    return Finding("file system", "ok", detail)


def _free(folder: Path) -> tuple[bool, str]:
    """Whether there is room enough, and how much."""
    free = shutil.disk_usage(_existing(folder)).free
    return free >= NEEDED_BYTES, f"{free / 1024**3:.1f} GiB free"


def disk(settings: Settings) -> Finding:
    """Whether there is room below home."""
    enough, detail = _free(settings.home)
    if not enough:
        return Finding("disk", "error", detail, "free at least 2 GiB, or move LEEWAY_HOME")
    return Finding("disk", "ok", detail)


def store(settings: Settings, mounts: Mounts) -> Finding:
    """The folder of objects, where it is not below home."""
    root = settings.store_root
    if why := _unwritable(_existing(root)):
        return Finding("store", "error", f"{root}: {why}", OTHER_STORE)
    enough, free = _free(root)
    mount = _mount_of(root.resolve(), mounts)
    detail = f"{root}, {free}" + ("" if mount is None else f", {mount[1]} at {mount[0]}")
    if not enough:
        return Finding("store", "error", detail, OTHER_STORE)
    if mount is not None and _is_network(mount[1]):
        # An object is renamed into its place once it is on the disk, which some of them only claim.
        return Finding("store", "warning", f"{detail} is a network file system", OTHER_STORE)
    return Finding("store", "ok", detail)


def data(folder: Path) -> Finding:
    """Whether LEEWAY_DATA_DIR is a folder."""
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        return Finding("data", "error", f"{folder} {what}", OTHER_DATA)
    with os.scandir(folder) as entries:
        empty = next(entries, None) is None
    return Finding("data", "ok", f"{folder}{', which is empty' if empty else ''}")
