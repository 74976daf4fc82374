"""The words of `jupyter storage` and `%storage`: one parser, one module per group."""
