"""Running user code once over symbolic tensors: variables, the tracer, placeholders of functional models."""

from kcompile.trace import op_call as op_call  # tells the ops what to do with placeholders
