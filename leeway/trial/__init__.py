"""The trial of a release beside the champion: whether it may take its place.

Belongs here: the evidence of both on live requests, and what follows from it. Does not belong here:
which requests each gets (`leeway.trial.share`), or carrying a verdict out.
"""
