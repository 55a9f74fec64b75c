"""Which application, with which credentials, at which host: the options that most commands share."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from attrs import asdict, frozen
from cyclopts import Group, Parameter

from deskim._client import AsyncDeskClient
from deskim._protocol import Identity
from deskim._usersig import Secret
from deskim.cli._screen import UsageError
from deskim.cli._secrets import VARIABLES, read_secret
from deskim.cli._words import for_shell
from deskim.errors import ConfigurationError

GROUP = Group("Connection", sort_key=3)
NO_APP_ID = "DESKIM_SDK_APP_ID is not set: it is the application's SDKAppID, a number"
NO_CREDENTIALS = (
    "no credentials: set DESKIM_SECRET_KEY (or DESKIM_USERSIG) in the environment, "
    "or name a file with --secret-key-file (or --usersig-file)"
)


def _option(text: str) -> Parameter:
    return Parameter(help=text, group=GROUP)


@frozen(kw_only=True)
class Settings:
    """Hold what the command line says; the environment says the rest."""

    sdk_app_id: Annotated[int | None, _option("The SDKAppID [env DESKIM_SDK_APP_ID].")] = None
    identifier: Annotated[str | None, _option("The App administrator [env DESKIM_IDENTIFIER].")] = None
    region: Annotated[str | None, _option("The data centre, e.g. singapore [env DESKIM_REGION].")] = None
    base_url: Annotated[str | None, _option("Another host, e.g. that of a fake Desk [env DESKIM_BASE_URL].")] = None
    secret_key_file: Annotated[
        Path | None, _option("A file that holds the secret key [instead of env DESKIM_SECRET_KEY].")
    ] = None
    usersig_file: Annotated[Path | None, _option("A file that holds a UserSig [instead of env DESKIM_USERSIG].")] = None

    def credentials(self) -> dict[str, Secret]:
        """Return the secret key, the UserSig, or both where both are set; files win over the environment."""
        files = {"secret_key": self.secret_key_file, "usersig": self.usersig_file}
        given = {name: read_secret(path) for name, path in files.items() if path is not None}
        if given:
            return given
        names = zip(("secret_key", "usersig"), VARIABLES, strict=True)
        return {name: Secret(os.environ[variable]) for name, variable in names if os.environ.get(variable)}

    def value(self, name: str, default: str | None = None) -> str | None:
        """Return a setting as text: the option's, else the environment's, else the default."""
        option = getattr(self, name, None)
        return str(option) if option is not None else os.environ.get(f"DESKIM_{name.upper()}") or default

    def identity(self) -> Identity:
        """Return who calls; raises ``UsageError`` where the SDKAppID is missing or no number."""
        app_id = self.value("sdk_app_id")
        if app_id is None:
            raise UsageError(NO_APP_ID)
        if not (app_id.isascii() and app_id.isdecimal()):
            name = "DESKIM_SDK_APP_ID" if self.sdk_app_id is None else "--sdk-app-id"
            raise UsageError(f"{name} must be the application's SDKAppID, a number; it is {app_id!r}")
        return Identity(int(app_id), self.value("identifier", "administrator") or "")

    def overrides(self) -> dict[str, Any]:
        """Return the options that were given, but for the files of secrets."""
        return {name: value for name, value in asdict(self).items() if value is not None and "_file" not in name}

    def client(self, **more: Any) -> AsyncDeskClient:
        """Return a client; raises ``UsageError`` for settings that cannot work."""
        found = self.credentials()
        if len(found) > 1:
            raise UsageError("both a secret key and a UserSig are set: keep one of them")
        if not found:
            raise UsageError(NO_CREDENTIALS if self.value("sdk_app_id") else f"{NO_APP_ID}; {NO_CREDENTIALS}")
        revealed = Secret({name: secret.reveal() for name, secret in found.items()})
        with self.named():
            return AsyncDeskClient.from_env(**self.overrides(), **more, **revealed.reveal())

    @contextmanager
    def named(self) -> Generator[None, None, None]:
        """Let an error of the settings name options where options were given, and else variables."""
        try:
            yield
        except ConfigurationError as error:
            given = {name.removesuffix("_file") for name, value in asdict(self).items() if value is not None}
            problem = for_shell(str(error), given)
        else:
            return
        raise UsageError(problem)


Connection: TypeAlias = Annotated[Settings | None, Parameter(name="*")]
"""The parameter of a command that talks to Desk."""
