"""In place of an optional package of jsonschema's, for processes of Ray.

Ray loads jsonschema everywhere, and that the package, which then spends 2.5 s of processor time on
a grammar that nothing here asks for: half of what each of some twenty processes needs to start.
"""

raise ImportError("it is not needed")
