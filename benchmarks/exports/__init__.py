"""``python -m benchmarks export``: ONNX files of kcompile beside those of other exporters."""
