"""Real servers for the demo, the tests and the benchmarks: nothing is mocked."""

from mysync_lab.errors import DownloadFailed, LabError, MissingTool, ServerFailed, UnknownServer
from mysync_lab.kafka import KafkaServer
from mysync_lab.lab import DEFAULT, NAMES, Lab
from mysync_lab.proxy import FaultProxy
from mysync_lab.server import ExternalServer, Kind, LocalServer, Server
from mysync_lab.sql import SqlServer

__all__ = [
    "DEFAULT",
    "NAMES",
    "DownloadFailed",
    "ExternalServer",
    "FaultProxy",
    "KafkaServer",
    "Kind",
    "Lab",
    "LabError",
    "LocalServer",
    "MissingTool",
    "Server",
    "ServerFailed",
    "SqlServer",
    "UnknownServer",
]
