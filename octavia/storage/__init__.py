"""Objects by key in a folder or a bucket, on top of fsspec; each is written once, whole, and never changed.

May import ``errors`` and ``files``; knows no jobs and no models. Begin with ``Storage``.
"""

from octavia.storage.failures import StorageFull, StorageRefused, gone, no_space
from octavia.storage.objects import Storage
from octavia.storage.space import Reservation, Space
from octavia.storage.writers import DroppingWriter, ObjectWriter, StoredObject

__all__ = [
    "DroppingWriter",
    "ObjectWriter",
    "Reservation",
    "Space",
    "Storage",
    "StorageFull",
    "StorageRefused",
    "StoredObject",
    "gone",
    "no_space",
]
