"""Devices: the operating system and browser of a sign-in, and how they age."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from lowslow_assets.sample_tenant.apps import BROWSER, RICH_CLIENT
from lowslow_assets.sample_tenant.streams import guids, mix

# Days since 1970 at which Chromium 124 came out; since then a major version every four weeks.
_CHROMIUM_124_DAY, _RELEASE_DAYS = 19_829, 28


_FAMILIES = (
    "Chrome|Firefox|Opera|Opera Mini|IE|Yandex Browser|QQ Browser|UC Browser|Sogou Explorer|"
    "Safari|Maxthon|Puffin|Coc Coc|Vivaldi|Sleipnir|Konqueror|Epiphany|Whale|Chromium|BlackBerry"
)
_SYSTEMS = (
    "Windows 7|Windows 8|Windows 8.1|Windows Xp|Windows Vista|Windows Phone 10|Linux|Ubuntu|"
    "Fedora|FreeBSD|OpenBSD|ChromeOs|MacOs 10.12|MacOs 10.9|Android 4.4|Android 6|Android 8|"
    "Ios 9|Ios 12|Tizen 3|Kindle|Symbian"
)
_ODD_FAMILIES, _ODD_SYSTEMS = _FAMILIES.split("|"), _SYSTEMS.split("|")


@dataclass(frozen=True)
class Device:
    """One device, or one claim to be a device.

    browser: with `updates` a family whose version grows with time, otherwise the whole text.
    name: `displayName`, which only managed devices have.
    lag: days by which its browser updates come late.
    """

    os: str
    browser: str
    updates: bool = True
    phone: bool = False
    name: str = ""
    lag: int = 0

    def browser_on(self, client: int, day: int) -> str:
        """The browser a sign-in shows with this client; `day` counts from 1970."""
        if not self.updates:
            return self.browser
        if client == BROWSER:
            return f"{self.browser} {_version(self.browser, day - self.lag)}"
        if client == RICH_CLIENT and not self.phone:
            return f"Rich Client 5.{25 + (day - self.lag - 20_454) // 120}.0"
        return ""

    def user_agent(self, client: int, day: int) -> str:
        """The `UserAgent` that belongs to it; mail protocols have no user agent."""
        browser = self.browser_on(client, day)
        if client > RICH_CLIENT and not browser:
            return f"{self.os.split()[0]}/ActiveSync" if self.phone else "BAV2ROPC"
        return _user_agent(self.os, browser)


@dataclass
class Devices:
    """The devices of the tenant and those that attackers claim; a row holds an index into it."""

    known: list[Device] = field(default_factory=list)
    _index: dict[Device, int] = field(default_factory=dict)

    def add(self, device: Device) -> int:
        """The device's index; an equal device gets the same one."""
        if device not in self._index:
            self._index[device] = len(self.known)
            self.known.append(device)
        return self._index[device]


@lru_cache(maxsize=100_000)
def device_id(name: str) -> str:
    """The `deviceId` of a managed device; others have none."""
    return guids(mix("device", name), mix("device id", name))[0] if name else ""


def invented_device(rng: np.random.Generator) -> Device:
    """A browser and an operating system as spraying tools invent them for each attempt."""
    system = _ODD_SYSTEMS[rng.integers(len(_ODD_SYSTEMS))]
    family = _ODD_FAMILIES[rng.integers(len(_ODD_FAMILIES))]
    version = f"{rng.integers(20, 135)}.{rng.integers(0, 10)}.{rng.integers(0, 4000)}"
    return Device(system, f"{family} {version}", updates=False)


def _version(family: str, day: int) -> str:
    releases = (day - _CHROMIUM_124_DAY) // _RELEASE_DAYS
    if family in ("Safari", "Mobile Safari"):
        return f"{17 + releases // 13}.{releases % 13 // 2}"
    if family == "Firefox":
        return f"{125 + releases}.0"
    return f"{124 + releases}.0.0"


@lru_cache(maxsize=50_000)
def _user_agent(system: str, browser: str) -> str:
    if browser.startswith("Rich Client"):
        return "Windows-AzureAD-Authentication-Provider/1.0"
    if not browser:
        return "Microsoft Authentication Library (mobile)"
    family, _, version = browser.rpartition(" ")
    platform = {"W": "Windows NT 10.0; Win64; x64", "M": "Macintosh; Intel Mac OS X 10_15_7"}
    name = {"Edge": f"Chrome/{version} Edg"}.get(family, family.replace(" ", ""))
    return f"Mozilla/5.0 ({platform.get(system[:1], system)}) AppleWebKit/537.36 {name}/{version}"
