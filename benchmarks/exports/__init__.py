"""``python -m benchmarks export``: ONNX files of kcompile beside those of Keras's own exporters and tf2onnx."""
