"""Puts a :class:`~tests.support.powercut.Disk` under the SQLite of this process and under ``os``. For good: there is no
way back, so only a process that is about to end does it.

SQLite is the very library that the module ``sqlite3`` calls. A copy of its default file system becomes the new default;
the copy hands on every call, and tells the disk of those that write.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any, Final, Protocol

from tests.support.powercut import Disk

OK: Final = 0
FULL: Final = 13
IOERR_FSYNC: Final = 1034
STATIC: Final = "SQLite is no shared library of this Python: no other file system can be put under it"

_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)
_OpenDirectory = CFUNCTYPE(c_int, c_char_p, c_void_p)
_SetCall = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
_GetCall = CFUNCTYPE(c_void_p, c_void_p, c_char_p)


class _Methods(ctypes.Structure):
    """``sqlite3_io_methods``: what can be done with an open file."""

    _fields_ = [
        ("iVersion", c_int),
        *(
            (name, c_void_p)
            for name in (
                *("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize", "xLock", "xUnlock"),
                *("xCheckReservedLock", "xFileControl", "xSectorSize", "xDeviceCharacteristics", "xShmMap"),
                *("xShmLock", "xShmBarrier", "xShmUnmap", "xFetch", "xUnfetch"),
            )
        ),
    ]


class _Vfs(ctypes.Structure):
    """``sqlite3_vfs``: a file system."""

    _fields_ = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        *(
            (name, c_void_p)
            for name in (
                *("xOpen", "xDelete", "xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose"),
                *("xRandomness", "xSleep", "xCurrentTime", "xGetLastError", "xCurrentTimeInt64"),
                *("xSetSystemCall", "xGetSystemCall", "xNextSystemCall"),
            )
        ),
    ]


class _SyncCall(Protocol):
    def __call__(self, fd: Any) -> None: ...


class _Function(Protocol):
    def __call__(self, *arguments: Any) -> Any: ...


def shared_library() -> str | None:
    """The path of the SQLite that the module ``sqlite3`` calls, or None where it is part of Python itself."""
    try:
        mapped = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return None
    paths = {line.split(maxsplit=5)[5] for line in mapped if "libsqlite3" in line}
    return paths.pop() if len(paths) == 1 else None


def tap(disk: Disk) -> None:
    """From now on ``disk`` sees and rules what SQLite and ``os`` do to the files of its directory."""
    _tap_os(disk)
    _SqliteTap(disk).install()


class _SqliteTap:
    """The callbacks, and everything C must find at its place until the process ends."""

    _installed: Final[list[_SqliteTap]] = []

    def __init__(self, disk: Disk) -> None:
        path = shared_library()
        assert path is not None, STATIC
        self._library = ctypes.CDLL(path)
        self._library.sqlite3_libversion.restype = c_char_p
        assert self._library.sqlite3_libversion().decode() == sqlite3.sqlite_version
        self._library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self._disk = disk
        self._below: Any = self._library.sqlite3_vfs_find(None)
        self._vfs = _Vfs.from_buffer_copy(self._below.contents)
        self._names: dict[int, str] = {}
        self._methods: dict[int, _Methods] = {}
        self._kept: list[object] = []
        """Callbacks live as long as Python knows them, not as long as C does."""

    def install(self) -> None:
        self._installed.append(self)
        self._vfs.zName = b"powercut"
        self._vfs.xOpen = self._callback(_Open, self._opener(_Open(self._vfs.xOpen)))
        self._vfs.xDelete = self._callback(_Delete, self._deleter(_Delete(self._vfs.xDelete)))
        self._watch_directories()
        assert self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1) == OK

    def _callback(self, kind: Any, function: Callable[..., int]) -> int | None:
        made = kind(function)
        self._kept.append(made)
        return ctypes.cast(made, c_void_p).value

    def _opener(self, below: _Function) -> Callable[..., int]:
        def opened(_: int, path: int | None, file: int, flags: int, out_flags: int | None) -> int:
            # The path's own bytes are handed on, not a copy: SQLite keeps the address and reads beyond the end.
            code: int = below(self._below, path, file, flags, out_flags)
            name = self._disk.name_of(os.fsdecode(ctypes.string_at(path))) if path else None
            if code == OK and name is not None:
                self._names[file] = name
                methods = c_void_p.from_address(file)  # the first field of every sqlite3_file
                assert methods.value is not None
                methods.value = ctypes.addressof(self._tapped(methods.value))
                self._disk.opened(name)
            return code

        return opened

    def _tapped(self, address: int) -> _Methods:
        """The table of methods at ``address``, with those that write exchanged. One for each kind of file."""
        if address not in self._methods:
            tapped = _Methods.from_buffer_copy(_Methods.from_address(address))
            tapped.xWrite = self._callback(_Write, self._writer(_Write(tapped.xWrite)))
            tapped.xTruncate = self._callback(_Truncate, self._truncater(_Truncate(tapped.xTruncate)))
            tapped.xSync = self._callback(_Sync, self._syncer(_Sync(tapped.xSync)))
            self._methods[address] = tapped
        return self._methods[address]

    def _writer(self, below: _Function) -> Callable[..., int]:
        def wrote(file: int, data: int, length: int, at: int) -> int:
            name = self._names[file]
            fits = self._disk.room(name, at, length)
            code: int = below(file, data, fits, at) if fits else OK
            if code == OK and fits:
                self._disk.wrote(name, at, ctypes.string_at(data, fits))
            return code if code != OK or fits == length else FULL

        return wrote

    def _truncater(self, below: _Function) -> Callable[..., int]:
        def truncated(file: int, size: int) -> int:
            code: int = below(file, size)
            if code == OK:
                self._disk.truncated(self._names[file], size)
            return code

        return truncated

    def _syncer(self, below: _Function) -> Callable[..., int]:
        def synced(file: int, flags: int) -> int:
            name = self._names[file]
            if self._disk.sync_fails(name):
                return IOERR_FSYNC
            code: int = below(file, flags)
            if code == OK:
                self._disk.synced(name)
            return code

        return synced

    def _deleter(self, below: _Function) -> Callable[..., int]:
        def deleted(_: int, path: bytes, sync_directory: int) -> int:
            code: int = below(self._below, path, sync_directory)
            name = self._disk.name_of(os.fsdecode(path))
            if code == OK and name is not None:
                self._disk.deleted(name)
                if sync_directory:
                    self._disk.synced_names()
            return code

        return deleted

    def _watch_directories(self) -> None:
        """SQLite opens a directory for one purpose: to sync it, when it has synced a journal that is new in it."""
        call = b"openDirectory"
        below = _OpenDirectory(_GetCall(self._vfs.xGetSystemCall)(self._below, call))

        def opened(path: bytes, descriptor: int) -> int:
            code: int = below(path, descriptor)
            if Path(os.fsdecode(path)).parent == self._disk.directory:
                self._disk.synced_names()
            return code

        watching = self._callback(_OpenDirectory, opened)
        assert _SetCall(self._vfs.xSetSystemCall)(self._below, call, watching) == OK


# --- what our own code does to files, without SQLite ---------------------------------------------------------------


def _tap_os(disk: Disk) -> None:
    """For what goes through descriptors: files that ``open`` made are not seen."""
    _tap_writes(disk)
    _tap_syncs(disk)
    _tap_names(disk)


def _behind(disk: Disk, descriptor: int) -> str | None:
    """The name on the disk of an open file, "." for its directory, or None for anything else."""
    try:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:
        return None
    return "." if path == disk.directory else disk.name_of(str(path))


def _no_space(name: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


def _tap_writes(disk: Disk) -> None:
    write, pwrite, ftruncate = os.write, os.pwrite, os.ftruncate

    def fitting(name: str, at: int, data: bytes) -> bytes:
        fits = disk.room(name, at, len(data))
        if data and not fits:
            raise _no_space(name)
        return data[:fits]

    def tapped_write(descriptor: int, data: Any, /) -> int:
        name = _behind(disk, descriptor)
        if name is None:
            return write(descriptor, data)
        appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
        at = os.fstat(descriptor).st_size if appends else os.lseek(descriptor, 0, os.SEEK_CUR)
        done = write(descriptor, fitting(name, at, bytes(data)))
        disk.wrote(name, at, bytes(data)[:done])
        return done

    def tapped_pwrite(descriptor: int, data: Any, at: int, /) -> int:
        name = _behind(disk, descriptor)
        if name is None:
            return pwrite(descriptor, data, at)
        done = pwrite(descriptor, fitting(name, at, bytes(data)), at)
        disk.wrote(name, at, bytes(data)[:done])
        return done

    def tapped_ftruncate(descriptor: int, size: int, /) -> None:
        ftruncate(descriptor, size)
        if name := _behind(disk, descriptor):
            disk.truncated(name, size)

    os.write, os.pwrite, os.ftruncate = tapped_write, tapped_pwrite, tapped_ftruncate


def _tap_syncs(disk: Disk) -> None:
    def tapped(below: Callable[[Any], None]) -> _SyncCall:
        def sync(fd: Any) -> None:
            descriptor = fd if isinstance(fd, int) else fd.fileno()
            name = _behind(disk, descriptor)
            if name is not None and disk.sync_fails(name):
                raise OSError(errno.EIO, os.strerror(errno.EIO), name)
            below(descriptor)
            if name == ".":
                disk.synced_names()
            elif name is not None:
                disk.synced(name)

        return sync

    os.fsync, os.fdatasync = tapped(os.fsync), tapped(os.fdatasync)


def _tap_names(disk: Disk) -> None:
    unlink, replace = os.unlink, os.replace

    def named(path: Any) -> str | None:
        return disk.name_of(str(Path(os.fsdecode(path)).absolute()))

    def tapped_unlink(path: Any, **more: Any) -> None:
        unlink(path, **more)
        if name := named(path):
            disk.deleted(name)

    def tapped_replace(src: Any, dst: Any, **more: Any) -> None:
        replace(src, dst, **more)
        before, after = named(src), named(dst)
        if before and after:
            disk.renamed(before, after)

    os.unlink = os.remove = tapped_unlink
    os.replace = os.rename = tapped_replace
