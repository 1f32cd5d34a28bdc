"""What can go wrong in the lab.

LabError
├── MissingTool     something this machine must have is missing; says how to get it
├── DownloadFailed  a component could not be brought
├── ServerFailed    a server did not start, answer or stop in time
└── UnknownServer   a name that nobody gave
"""


class LabError(Exception):
    """Base of the lab's errors."""


class MissingTool(LabError):
    """A program or a file that the machine must have isn't there."""


class DownloadFailed(LabError):
    """A component could not be downloaded or unpacked."""


class ServerFailed(LabError):
    """A server did not start, answer or stop in time."""


class UnknownServer(LabError):
    """No server of that name."""
