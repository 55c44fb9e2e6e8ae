"""Where the sandbox's servers meet: ARM, clusters, node agents, edge and chart repository.

Each of them is written without the others (an import contract checks it); what one needs of
another is a protocol or a callable, and this package supplies it. Nothing outside imports it but
``azrunbook.sandbox.__main__``.
"""
