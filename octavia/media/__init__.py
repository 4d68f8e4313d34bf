"""Sound and films: probe, decode, split, place, mix, encode and mux (PyAV); times are seconds, audio is ``Samples``.

May import ``errors``, ``files`` and ``engines.types``; knows no jobs and no HTTP. Clients' files are opened only in
the child process of ``sandbox``. Begin with ``decode`` for the way in, ``render`` and ``encode`` for the way out.
"""

__all__ = [
    "adts",
    "bounds",
    "containers",
    "encode",
    "fitting",
    "formats",
    "limiter",
    "loudness",
    "master",
    "mix",
    "mux",
    "probe",
    "render",
    "sandbox",
    "split",
    "timeline",
    "tracks",
]
