"""Secrets of the environment, and of the Azure Key Vault that it names."""

import os
import re
from collections.abc import Mapping
from typing import Any

from lowslow_assets.platform.azure import identity
from lowslow_assets.platform.refusals import NO_IDENTITY, is_permanent, why
from lowslow_assets.settings import SettingsError

VAULT = "LOWSLOW_KEY_VAULT"
_LONGEST_WAIT_SECONDS = 10
_REFUSALS = {
    401: NO_IDENTITY,
    403: "the identity lacks the role Key Vault Secrets User, or the vault's network rules keep "
    "this machine out",
}


class VaultUnavailable(Exception):
    """The vault did not answer as it should this time: a retry may help."""


def read_secret(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The variable's value; if it is unset, that of the vault's secret of the same name.

    Names of secrets have no ``_``: ``LOWSLOW_TI_OTX_KEY`` is ``LOWSLOW-TI-OTX-KEY`` there. Empty if
    neither exists, or if LOWSLOW_KEY_VAULT names no vault. Raises SettingsError if the vault
    refuses, VaultUnavailable if it does not answer.
    """
    value, url = (environment.get(variable, "").strip() for variable in (name, VAULT))
    return value or (_ask(url, name.replace("_", "-")) if url else "")


def _ask(url: str, name: str) -> str:
    if not re.fullmatch(r"https://[\w-]+(\.[\w-]+)+/?", url):
        raise SettingsError(
            f"{VAULT} must be the URL of a vault, like https://name.vault.azure.net, not "
            f"{url[:100]!r}."
        )
    try:
        from azure.core.exceptions import AzureError, ResourceNotFoundError
        from azure.keyvault.secrets import SecretClient
    except ImportError as error:
        raise SettingsError(
            f"{VAULT} needs the extra azure: pip install 'lowslow-assets[azure]'."
        ) from error
    waits: Any = dict.fromkeys(("connection_timeout", "read_timeout"), _LONGEST_WAIT_SECONDS)
    try:
        with SecretClient(url, identity(), retry_backoff_max=1, **waits) as vault:
            return (vault.get_secret(name).value or "").strip()
    except ResourceNotFoundError:
        return ""
    except AzureError as error:
        # It is raised without its cause, which may hold the token.
        kind = SettingsError if is_permanent(error) else VaultUnavailable
        reason = why(error, _REFUSALS)
        sentence = kind(f"{VAULT} {url!r} did not give the secret {name}: {reason}.")
    raise sentence
