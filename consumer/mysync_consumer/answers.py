"""What an error of the target, or of the connection to it, means for whoever applies."""

from mysync_consumer.errors import TargetBusy, TargetUnavailable
from mysync_runtime.errors import ConnectionLost, CredentialsError, MysyncError
from mysync_runtime.mysql import ErrorClass, classify, code_of, message_of

BUSY_CODES = frozenset({1205, 1213})


def error_of(error: BaseException, doing: str) -> MysyncError:
    """What an error of the target, or of the connection to it, means."""
    if isinstance(error, MysyncError):
        return error
    text = f"can't {doing} on the target: {message_of(error)}"
    if code_of(error) in BUSY_CODES:
        return TargetBusy(text)
    match classify(error):
        case ErrorClass.LOST:
            return ConnectionLost(text)
        case ErrorClass.CREDENTIALS:
            return CredentialsError(text)
        case ErrorClass.TRANSIENT:
            return TargetUnavailable(text)
        case _:
            return MysyncError(text)
