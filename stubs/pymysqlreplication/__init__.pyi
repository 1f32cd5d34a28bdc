from collections.abc import Callable, Mapping
from typing import Any

class BinLogStreamReader:
    def __init__(
        self,
        connection_settings: Mapping[str, Any],
        server_id: int,
        *,
        blocking: bool = ...,
        resume_stream: bool = ...,
        log_file: str | None = ...,
        log_pos: int | None = ...,
        slave_uuid: str | None = ...,
        slave_heartbeat: float | None = ...,
        report_slave: str | None = ...,
        pymysql_wrapper: Callable[..., Any] | None = ...,
        enable_logging: bool = ...,
    ) -> None: ...
    def _BinLogStreamReader__connect_to_stream(self) -> None: ...  # noqa: N802
