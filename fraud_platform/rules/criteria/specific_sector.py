"""SPECIFIC_SECTOR: the transaction belongs to one of some sectors."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from fraud_platform.rules.indexed import Indexed, OneOf


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificSector(Indexed):
    """The sector is one of a set; letters and case must agree, surrounding blanks do not matter."""

    sectors: Annotated[frozenset[str], msgspec.Meta(description="Sectors that hit.", min_length=1)]

    def __post_init__(self) -> None:
        """Refuse a sector that no transaction can have."""
        if any(not sector or sector != sector.strip() for sector in self.sectors):
            raise ValueError("a sector is neither empty nor surrounded by blanks")

    def test(self) -> OneOf:
        """The sector against the set."""
        return OneOf("sector", self.sectors)
