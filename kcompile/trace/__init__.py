"""Running user code once over symbolic tensors: variables, the tracer, placeholders of functional models."""
