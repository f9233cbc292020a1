"""What can be asked of a cache in words: each command is a module with `add_arguments(parser)` and
`answer(context, options)`, which gives an `Answer`. The command line and ``%checkpoint`` draw the same ones.
"""
