"""The container registry. Pure."""

from typing import Literal, Self

import pydantic
from pydantic import Field

from azrunbook import documents
from azrunbook.estate import fields


class Registry(documents.Model):
    """One registry in the primary's location; ``replicated`` keeps a copy in the secondary's."""

    resource_group: fields.ResourceName
    name: str = Field(pattern=r"^[a-z0-9]{5,50}$", examples=["azrunbookdv"])
    sku: Literal["Basic", "Standard", "Premium"] = "Premium"
    replicated: bool = False

    @pydantic.model_validator(mode="after")
    def _replication_is_premium(self) -> Self:
        if self.replicated and self.sku != "Premium":
            msg = f"sku Premium with replicated true, not {self.sku}"
            raise ValueError(msg)
        return self
