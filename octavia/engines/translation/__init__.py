"""Translation: ``ctranslate`` runs one model, ``chain`` several, ``keeping`` protects parts of sentences.

Knows the modules of ``engines``, but neither recognition nor voices. Begin with ``ctranslate``.
"""

__all__ = ["chain", "ctranslate", "glossary", "keeping", "packages"]
