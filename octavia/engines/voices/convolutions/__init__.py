"""Integer convolutions of an ONNX model as matrix products."""
