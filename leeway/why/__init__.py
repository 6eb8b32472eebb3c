"""Why a model is as it is: recorded facts in, statements with citations out.

Belongs here: what a person is told of recorded facts, and what each sentence rests on. Does not
belong here: reading the facts (`resources.why`), printing (`cli.why`), or deciding anything.

A fact that was not recorded is told as unknown, with the reason; nothing is concluded from what is
there to what is not.
"""
