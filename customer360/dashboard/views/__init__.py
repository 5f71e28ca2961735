"""The pages: one module each, with ``render``. They lay out; they neither compute nor query."""
