"""What: the nodes of a use case's graph, one module per stage.

Belongs here: assets that read, call one pure function of `leeway`, write through `resources`, and
return metadata. Does not belong here: computation (`leeway`) or when to run (`orchestration`).
"""
