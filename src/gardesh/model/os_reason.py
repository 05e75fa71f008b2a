"""Why the machine refused something, in both languages: what the operating system says of a file or an address."""

from __future__ import annotations

import errno

from gardesh.model.problem import Wording

REASONS = {
    errno.ENOENT: ("No such file or directory", "چنین پرونده یا پوشه‌ای نیست"),
    errno.EACCES: ("Permission denied", "اجازه‌ی آن داده نشده است"),
    errno.EPERM: ("Operation not permitted", "این کار مجاز نیست"),
    errno.EISDIR: ("Is a directory", "پوشه است، نه پرونده"),
    errno.ENOTDIR: ("Not a directory", "پوشه نیست"),
    errno.EEXIST: ("File exists", "از پیش هست"),
    errno.ENOSPC: ("No space left on device", "جایی روی دیسک نمانده است"),
    errno.EDQUOT: ("Disk quota exceeded", "سهمیه‌ی دیسک پر است"),
    errno.EROFS: ("Read-only file system", "دیسک فقط خواندنی است"),
    errno.EIO: ("Input/output error", "خطای خواندن یا نوشتن دیسک"),
    errno.EADDRINUSE: ("Address already in use", "برنامه‌ی دیگری در آنجا گوش می‌دهد"),
    errno.EADDRNOTAVAIL: ("Cannot assign requested address", "این نشانی از آن این دستگاه نیست"),
    errno.ECONNREFUSED: ("Connection refused", "کسی در آنجا گوش نمی‌دهد"),
    errno.ENAMETOOLONG: ("File name too long", "نام بیش از اندازه دراز است"),
}


def of_os(error: Exception) -> Wording:
    """The reason of an `OSError`, or of what is raised in its place (a name of a host that is none)."""
    known = REASONS.get(getattr(error, "errno", None) or 0)
    if known is not None and type(error).__module__ != "ssl":  # whose numbers are others
        return Wording(*known)
    said = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return Wording(said, said)
