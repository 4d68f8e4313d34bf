"""Faster integer convolutions for Kokoro: the same samples in two thirds of the time.

One thread speaks a sentence of 5.2 s in 2.0 s instead of 3.1 s; five minutes of speech are dubbed in 59.8 s, where a
plain script takes 113.7 s (docs/performance.md). onnxruntime convolves unsigned with unsigned bytes, but has fast code
only for products of unsigned with signed bytes. So every ``ConvInteger`` over time becomes a matrix product::

    before   x ─▶ ConvInteger ─▶ Add ─▶ Cast ─▶ y
                       ▲          ▲
         weights (uint8)          bias (int32)

    after    x ─▶ Transpose ─▶ Pad ─▶ Gather ─▶ MatMulIntegerToFloat ─▶ Transpose ─▶ y
                                                     ▲       ▲
                                  weights - 64 (int8)        bias (float32)

Subtracting 64 makes the weights signed; their zero point moves along, so the sums are the same whole numbers. They
become floats one step earlier, which is exact below 2**24.

There is no setting for this. Where no copy can be made (the package ``onnx`` is missing, or ``.derived`` beside the
models' folders cannot be written), the original model runs and ``model_not_sped_up`` is logged. To go without,
uninstall ``onnx`` and delete ``.derived``: copies that exist are used.

``derived`` keeps the rewritten copies, ``rewriting`` makes them, ``graph`` is the graph being edited. Begin with
``derived.sped_up``.
"""

__all__ = ["derived"]
