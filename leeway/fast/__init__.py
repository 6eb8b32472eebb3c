"""The fast path: a fitted pipeline of ours as arrays, which answers requests many times faster.

Belongs here: NumPy copies of the transformers and estimators that Leeway fits, their file, and the
proof that they give the bits of the pipeline. Does not belong here: fitting anything
(`leeway.training`), or deciding which path serves (`serving.loading`).

scikit-learn looks for a batch's shape, names and types at each step, which takes it milliseconds;
these know the shape of one release. A row has the bits that the pipeline gives it alone, however
many rows it comes with.
"""
