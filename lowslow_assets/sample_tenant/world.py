"""What every kind of traffic may read while it is drawn."""

from dataclasses import dataclass

import numpy as np

from lowslow_assets.sample_tenant.devices import Devices
from lowslow_assets.sample_tenant.people import People
from lowslow_assets.sample_tenant.signins import DAY, SIGNIN, Rows
from lowslow_assets.sample_tenant.tenant import Tenant


@dataclass
class World:
    """The tenant, its people and devices, and (once drawn) their ordinary sign-ins."""

    tenant: Tenant
    people: People
    devices: Devices
    ordinary: Rows

    @property
    def end_ms(self) -> int:
        """The midnight that ends the last day, milliseconds since 1970 UTC."""
        return self.tenant.start_ms + self.tenant.days * DAY

    def moment(self, days: float) -> int:
        """A number of days after the start, as milliseconds since 1970 UTC."""
        return self.tenant.start_ms + int(days * DAY)


def no_rows() -> Rows:
    """An empty set of sign-ins."""
    return np.zeros(0, dtype=SIGNIN)
