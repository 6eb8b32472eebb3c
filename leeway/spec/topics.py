"""A topic of Kafka as the source of a use case.

Belongs here: which messages are read, how they are cut into batches, and the names of the variables
with what is secret. Does not belong here: reading them (`resources.sources.topic`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leeway.spec.base import Strict, Variable
from leeway.spec.policies import Duration

KafkaName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]  # Kafka's own rule


class KafkaSource(Strict):
    """A topic whose messages are rows, each a JSON object of texts, numbers, true, false and null.

    A batch is what came since the one before: `rows` messages, or fewer when they are
    `megabytes` large or the oldest has waited for `wait`. A message that is no row is a reject.
    """

    kind: Literal["kafka"]
    servers_env: Variable = Field(description="name of the variable with host:port,host:port")
    topic: KafkaName
    group: KafkaName = Field(description="the reader; another group begins at the oldest message")
    user_env: Variable | None = Field(default=None, description="name of the variable with SASL's")
    password_env: Variable | None = Field(default=None, description="as user_env")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    tls: bool = True
    rows: int = Field(default=10_000, ge=1, le=1_000_000, description="most messages of a batch")
    megabytes: int = Field(default=64, ge=1, le=1024, description="about the most of a batch")
    message_kilobytes: int = Field(default=256, ge=1, le=50_000, description="most of a message")
    wait: Duration = Field(default="10m", description="how long a message waits for others")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.topic in (".", ".."):
            raise ValueError(f"topic: Kafka has none called {self.topic!r}")
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("user_env: give user_env and password_env, or none of them")
        if self.password_env is not None and not self.tls:
            raise ValueError("tls: a password is sent over TLS only; remove `tls: false`")
        return self
