"""The system calls of a sandbox that Python has no function for (Linux), through ctypes.

    unshare(NEW_NAMESPACES)          the caller's next child is process 1 of a world of its own
    build_root("/tmp/empty", job)    that world sees Python, the system's libraries and a small disk in memory, nothing else

Runs in the child process only, with the standard library alone. Every function raises OSError if the kernel refuses.
"""

# Importing pathlib would cost every program several milliseconds.
# ruff: noqa: PTH101, PTH102, PTH103, PTH112, PTH114, PTH115, PTH211

import ctypes
import os

TYPE_CHECKING = False  # mypy takes it for true; importing typing would cost every program seven milliseconds
if TYPE_CHECKING:
    from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)

NEW_USER = 0x10000000
NEW_NAMESPACES = 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
"""Of mounts, processes, network, System V objects and host name."""

_NO_SUID_NO_DEVICES, _BIND_ALL, _PRIVATE = 0x2 | 0x4, 0x1000 | 0x4000, 0x4000 | 0x40000
_DETACH = 2
_RECURSIVE, _HERE = 0x8000, -100
_READ_ONLY_MOUNT = 0x1 | 0x2 | 0x4  # MOUNT_ATTR_RDONLY, NOSUID, NODEV
_MOUNT_SETATTR = 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38
_CAPABILITIES = 0x20080522
SYSTEM_FOLDERS = ("usr", "lib", "lib64", "bin")
DEVICES = ("null", "zero", "urandom")


def _ask(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces of the parent."""
    _ask(LIBC.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount a file system."""
    texts = [None if text is None else text.encode() for text in (source, target, kind, data)]
    _ask(LIBC.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]), f"mount {target}")


def set_option(option: int, value: int) -> None:
    """Call prctl(2)."""
    _ask(LIBC.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)), "prctl")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    set_option(_DEATH_SIGNAL, 9)


def hide_descriptors() -> None:
    """Keep other processes of this user out of the caller's `/proc/PID/fd`."""
    set_option(_DUMPABLE, 0)


def show_descriptors() -> None:
    """Give the caller back its own `/proc/self`, which a change of its user id took from it."""
    set_option(_DUMPABLE, 1)


def map_user(user: int, group: int) -> None:
    """Give the caller, who has just entered a user namespace, the ids that it had outside."""
    show_descriptors()
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        write(f"/proc/self/{name}", text)


def forbid_namespaces() -> None:
    """Forbid further user namespaces within that of the caller, and with them every capability in one."""
    write("/proc/sys/user/max_user_namespaces", "0")


def drop_privileges() -> None:
    """Give up all capabilities, for the caller and everything that it may execute."""
    set_option(_NO_NEW_PRIVILEGES, 1)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    _ask(LIBC.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def build_root(root: str, job: "dict[str, Any]") -> None:
    """Make an empty folder the root: a small tmpfs with read-only Python and system libraries, `/tmp`, `/proc`, `/dev`."""
    mount("none", "/", None, _PRIVATE)
    size = f"size={job['disk_mb']}m,nr_inodes={job['max_files']},mode=755"
    mount("tmpfs", root, "tmpfs", _NO_SUID_NO_DEVICES, size)
    for name in SYSTEM_FOLDERS:
        _show(f"/{name}", root)
    if not f"{job['python']}/".startswith("/usr/"):
        _show(job["python"], root)
    _show_devices(root)
    for name in ("proc", "tmp"):
        os.mkdir(f"{root}/{name}")
    os.chmod(f"{root}/tmp", 0o1777)  # noqa: S103, S108 (the only folder of its world that a program may write to)
    mount("proc", f"{root}/proc", "proc", _NO_SUID_NO_DEVICES)
    _enter(root)


def _show(path: str, root: str) -> None:
    if os.path.islink(path):
        os.symlink(os.readlink(path), root + path)
    elif os.path.isdir(path):
        os.makedirs(root + path)
        mount(path, root + path, None, _BIND_ALL)
        _make_read_only(root + path)


def _make_read_only(path: str) -> None:
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY_MOUNT, 0, 0, 0)
    flags = ctypes.c_uint(_RECURSIVE)
    done = LIBC.syscall(
        ctypes.c_long(_MOUNT_SETATTR), ctypes.c_int(_HERE), path.encode(), flags, attributes, ctypes.c_size_t(32)
    )
    _ask(done, f"mount_setattr {path}")


def _show_devices(root: str) -> None:
    os.mkdir(f"{root}/dev")
    for name in DEVICES:
        os.close(os.open(f"{root}/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        mount(f"/dev/{name}", f"{root}/dev/{name}", None, _BIND_ALL)


def _enter(root: str) -> None:
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"pivot_root is not known for {os.uname().machine}")
    os.chdir(root)
    _ask(LIBC.syscall(ctypes.c_long(number), b".", b"."), "pivot_root")
    _ask(LIBC.umount2(b".", _DETACH), "umount")
    os.chdir("/tmp")  # noqa: S108 (of the new root)


def write(path: str, text: str) -> None:
    """Write to a file that is there, in one call, as `/proc` wants it."""
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
