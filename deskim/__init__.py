"""An asyncio client for Tencent Cloud Desk."""

from deskim._version import __version__

__all__ = ["__version__"]
