"""What the data services refuse, in Azure's words. No imports.

The host turns these into the errors of ARM's operations; nothing here knows ARM.
"""


class DataError(Exception):
    """A data service refuses or fails; ``code`` is the error code that Azure would answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MissingProgramError(DataError):
    """A server program is not installed, or cannot be run by this user."""

    def __init__(self, message: str) -> None:
        super().__init__("SandboxProgramMissing", message)
