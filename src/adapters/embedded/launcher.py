"""Becomes a server's program, as a child that is never root and does not outlive the process that started it.

Executed by its path, in a child: ``launcher.py STARTER DEATH_SIGNAL UID GID PROGRAM ARGUMENT...``. It starts
fast because it imports the standard library only.
"""

import ctypes
import os
import sys

REFUSED = 77
"""The exit status if this process is root and cannot change to another account."""

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_KILL = 5
_CAP_SETGID = 6
_CAP_SETUID = 7


def main(arguments: list[str]) -> int:
    starter, death_signal, uid, gid = map(int, arguments[:4])
    command = arguments[4:]
    try:
        if os.geteuid() == 0:
            _leave_root(uid, gid)
    except OSError as error:
        sys.stderr.write(f"Root cannot become user {uid} here: {error.strerror}.\n")
        return REFUSED
    os.umask(0o077)
    if sys.platform == "linux":
        # After the change of account, which clears it. It is tied to the thread that started us.
        _call("prctl", _PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != starter:  # it died before the line above
            return 1
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be run: {error.strerror}.\n")
    return 127


def _leave_root(uid: int, gid: int) -> None:
    """Change to an account for good, keeping one right of root's: to pass by the permissions of files.

    So the server can use a folder below one that is root's alone, such as its home. The right is 'ambient':
    it is kept by the program that this process turns into.
    """
    if sys.platform != "linux" or uid == 0:
        raise PermissionError(0, "there is no way on this system")
    # CAP_KILL is for the starter: to stop its server, and for the kernel to do so in its name when it dies.
    needed = sum(1 << right for right in (_CAP_DAC_OVERRIDE, _CAP_KILL, _CAP_SETGID, _CAP_SETUID))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same for rights above 31
    _call("capget", header, rights)
    if needed & ~rights[1]:
        raise PermissionError(0, "root's capabilities were taken away")
    _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    kept = 1 << _CAP_DAC_OVERRIDE
    _call("capset", header, (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0))
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _call(name: str, *arguments: "int | ctypes.Array[ctypes.c_uint32]") -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    as_long = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    if function(*as_long) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
