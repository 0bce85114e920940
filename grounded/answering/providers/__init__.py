"""Language models behind HTTP: one transport, two wire formats, and how a spec names them."""
