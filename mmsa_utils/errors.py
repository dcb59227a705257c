"""What everybody says when something fails."""

from __future__ import annotations


class EncoderUnavailable(OSError):
    """Pretrained weights were asked for and cannot be had."""


def in_short(error: BaseException) -> str:
    """An error in one line: its kind and the start of what it says."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:160]


def is_want_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is not enough; torch says so in a RuntimeError."""
    words = str(error)
    return isinstance(error, MemoryError) or isinstance(error, RuntimeError) and (
        "can't allocate memory" in words or "out of memory" in words or "not enough memory" in words)


def is_loss_of_another(error: BaseException) -> bool:
    """Whether an error says that another of several processes is gone, as gloo and NCCL do, by which torch talks."""
    words = f"{type(error).__name__} {error}".lower()
    return any(sign in words for sign in ("gloo", "nccl", "distbackend", "distnetwork", "diststore"))


def chain(error: BaseException) -> list[BaseException]:
    """An error, and those that it came from: a library wraps what the library below it raised."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links


def broken_package(error: BaseException) -> str:
    """That a package is missing or does not load, if this is why something failed, in words; else nothing."""
    if not isinstance(error, (ImportError, RuntimeError, AttributeError)):
        return ""
    links = chain(error)[::-1]  # the first failure knows best
    for link in links:
        if "torchvision::" in str(link) or "torchvision" in str(link) and isinstance(link, AttributeError):
            return f"torchvision does not load, as it was built for another torch ({in_short(link)})"
        if isinstance(link, ModuleNotFoundError) and link.name:
            return f"the package {link.name.partition('.')[0]} is not installed, or not whole ({in_short(link)})"
    for link in links:
        if isinstance(link, ImportError):
            return f"a package does not load ({in_short(link)})"
    return ""
