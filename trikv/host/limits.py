"""Limits the operating system puts on this process."""

import resource


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; how many files may be open now.

    Ten thousand clients do not fit in the usual soft limit of 1024, and no program of ours uses `select`,
    which is what the low soft limit protects.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # macOS refuses "unlimited": what there was must do
            return soft
    return hard
