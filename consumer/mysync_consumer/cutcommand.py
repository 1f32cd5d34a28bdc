"""`mysync-consumer cut`: the target as it was at one position of the source, for as long as needed.

Asks for the cut, waits until all partitions stand, says where; then runs a command meanwhile, or
leaves the cut to `cut --release` and its time. While this process waits or its command runs, it
renews the cut's time: when it is killed, the cut ends by itself after LEASE_SECONDS.
"""

import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import pymysql

from mysync_consumer import cut, tablelist, tables
from mysync_consumer.answers import BUSY_CODES
from mysync_consumer.cut import Cut, Place
from mysync_consumer.errors import ClaimLost, CutFailed, NoCut
from mysync_runtime import mysql
from mysync_runtime.errors import MysyncError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection
from mysync_runtime.settings import Settings

T = TypeVar("T")

LEASE_SECONDS = 60.0
RENEW_SECONDS = 5.0
LOOK_SECONDS = 0.05
RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Reached:
    """A cut at which all partitions stand. `aside`: tables that aren't as they were there."""

    version: int
    place: Place
    aside: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "cut": self.version,
            "seq": self.place.seq,
            "file": self.place.file,
            "position": self.place.pos,
            "gtid_set": self.place.gtid_set,
            "set_aside": list(self.aside),
        }

    def lines(self) -> list[str]:
        """For people."""
        place = self.place
        found = [f"cut {self.version}: the target is as the source was at {place.file}:{place.pos}"]
        if place.gtid_set is not None:
            found.append(f"gtid set: {place.gtid_set}")
        if self.aside:
            found.append(f"but for the tables that are set aside: {', '.join(self.aside)}")
        return found

    def variables(self) -> Mapping[str, str]:
        """What a command is told of it."""
        return {
            "MYSYNC_CUT": str(self.version),
            "MYSYNC_CUT_FILE": self.place.file,
            "MYSYNC_CUT_POSITION": str(self.place.pos),
            "MYSYNC_CUT_GTID_SET": self.place.gtid_set or "",
        }


class Cutting:
    """The asker's side of one cut. Use it as a context: at its end the cut is released, unless it
    was `left`."""

    def __init__(self, settings: Settings, stop: Stop) -> None:
        self._settings = settings
        self._pipeline = settings.pipeline
        self._stop = stop
        self._sql: Connection | None = mysql.connect_at_start(
            settings.target, stop, what="the target"
        )
        self._set_up(self._sql)
        self._author = f"{socket.gethostname()}:{os.getpid()} {uuid.uuid4().hex[:12]}"
        self._cut: Cut | None = None
        self._renewed = 0.0

    def __enter__(self) -> "Cutting":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._cut is not None:
                self.release()
        except MysyncError as error:
            get_logger("cut").warning(
                "the cut can't be released: it ends by itself", reason=str(error)
            )
        finally:
            self._close()

    def ask(self) -> None:
        """Asks for the cut. Raises CutStands, CutFailed."""
        self._cut = self._on_target("ask for a cut", self._ask)
        self._renewed = time.monotonic()

    def reach(self, seconds: float) -> Reached:
        """Waits until all partitions stand. Raises CutFailed after so many seconds, Stopped."""
        found = self._required()
        deadline = time.monotonic() + seconds
        while True:
            places, partitions = self._on_target("look at the cut", self._look)
            if len(places) == partitions:
                break
            if time.monotonic() > deadline:
                raise self._not_reached(sorted(set(range(partitions)) - places.keys()), seconds)
            self.keep()
            self._stop.sleep(LOOK_SECONDS)
        if len({place.seq for place in places.values()}) != 1:
            raise CutFailed(f"cut {found.version}: partitions stand at different places: {places}")
        aside = self._on_target(
            "read the tables' states", lambda sql: tablelist.states(sql, self._pipeline)
        )
        return Reached(found.version, places[0], tuple(str(table) for table in aside))

    def keep(self) -> None:
        """Renews its time now and then. Raises CutFailed when it is over already."""
        if time.monotonic() > self._renewed + RENEW_SECONDS:
            self._renew(LEASE_SECONDS)

    def leave(self, seconds: float) -> None:
        """Lets it hold for so long without this process."""
        self._renew(seconds)
        self._cut = None

    def release(self) -> None:
        """Ends it. Raises CutFailed when it was over already."""
        found, self._cut = self._required(), None
        if not self._on_target(
            "release the cut", lambda sql: cut.release(sql, self._pipeline, found.version)
        ):
            raise self._over(found)

    def release_any(self) -> int:
        """Ends whatever cut is in force; returns its number. Raises NoCut."""
        found = self._on_target("read the cut", lambda sql: cut.in_force(sql, self._pipeline))
        if found is None or not self._on_target(
            "release the cut", lambda sql: cut.end(sql, self._pipeline, found.version)
        ):
            raise NoCut("no cut is in force")
        return found.version

    # -- inner

    def _required(self) -> Cut:
        assert self._cut is not None
        return self._cut

    def _ask(self, sql: Connection) -> Cut:
        try:
            return cut.ask(sql, self._pipeline, LEASE_SECONDS, self._author)
        except ClaimLost as error:
            raise CutFailed(
                f"no consumer of pipeline {self._pipeline} has written to this target yet",
                mend="Start consumers, then ask again.",
            ) from error

    def _look(self, sql: Connection) -> tuple[Mapping[int, Place], int]:
        places = cut.standing(sql, self._pipeline, self._required().version)
        partitions = mysql.scalar(
            sql,
            "SELECT COUNT(*) FROM mysync.checkpoint WHERE pipeline = %s AND partition_id >= 0",
            (self._pipeline,),
        )
        return places, int(partitions)

    def _renew(self, seconds: float) -> None:
        found = self._required()
        if not self._on_target(
            "renew the cut", lambda sql: cut.renew(sql, self._pipeline, found.version, seconds)
        ):
            self._cut = None
            raise self._over(found)
        self._renewed = time.monotonic()

    def _not_reached(self, lacking: list[int], seconds: float) -> CutFailed:
        return CutFailed(
            f"partitions {lacking} don't stand at a common place after {seconds:g} s",
            mend="Consumers and the producer must run, no transaction of the source may be open in"
            " the log for as long, and its tables may not wait for their first transfer to begin"
            " (`mysync-producer transfer status`). `mysync-consumer status` shows which partitions"
            " are behind. The cut is given up; ask again, or give it more time (--timeout).",
        )

    def _over(self, found: Cut) -> CutFailed:
        return CutFailed(
            f"cut {found.version} is over: it was released by somebody, or its time ran out",
            mend="What was read from the target meanwhile may be of several positions: throw it"
            " away and ask again.",
        )

    def _on_target(self, doing: str, call: Callable[[Connection], T]) -> T:
        """Again, on a new connection where that is needed, for as long as a cut lives without."""
        where = self._settings.target.address
        deadline = time.monotonic() + LEASE_SECONDS
        while True:
            try:
                if self._sql is None:
                    self._sql = mysql.connect(self._settings.target)
                    self._set_up(self._sql)
                return call(self._sql)
            except (MysyncError, pymysql.err.Error, OSError) as error:
                found = mysql.error_of(error, doing, where)
                busy = mysql.code_of(error) in BUSY_CODES
                if not (busy or found.retriable) or time.monotonic() > deadline:
                    raise found from error
                self._close()
                time.sleep(RETRY_SECONDS)

    def _set_up(self, sql: Connection) -> None:
        sql.query("SET time_zone = '+00:00'")
        sql.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        with sql.cursor() as cursor:
            if not set(tables.DEFINITIONS) <= tables.existing(cursor):
                raise CutFailed(
                    "the target lacks tables mysync.* of this release",
                    mend="Start consumers of this release, then ask again.",
                )

    def _close(self) -> None:
        if self._sql is not None:
            with suppress(pymysql.err.Error, OSError):
                self._sql.close()
            self._sql = None


def run(settings: Settings, stop: Stop, command: Sequence[str], timeout: float) -> int:
    """Runs the command while all partitions stand; returns its exit code.

    Raises CutStands, CutFailed; of the latter when the cut didn't last, whatever the command
    said."""
    with Cutting(settings, stop) as cutting:
        cutting.ask()
        reached = cutting.reach(timeout)
        log = get_logger("cut")
        log.info("the target stands", **reached.as_json())
        code = _run(command, reached, cutting, stop)
        cutting.release()
        log.info("released", cut=reached.version)
    return code


def _run(command: Sequence[str], reached: Reached, cutting: Cutting, stop: Stop) -> int:
    try:
        child = subprocess.Popen(command, env=os.environ | reached.variables())
    except OSError as error:
        raise CutFailed(f"{command[0]} can't be run: {error}") from error
    told = False
    try:
        while (code := child.poll()) is None:
            cutting.keep()
            if stop.requested and not told:
                told = True
                child.terminate()
            if told:
                time.sleep(LOOK_SECONDS)
            else:
                stop.wait(LOOK_SECONDS)
    except BaseException:
        child.terminate()
        raise
    return code if code >= 0 else 128 - code


def hold(settings: Settings, stop: Stop, seconds: float, timeout: float) -> Reached:
    """Leaves the target standing for so many seconds, or until it is released."""
    with Cutting(settings, stop) as cutting:
        cutting.ask()
        reached = cutting.reach(timeout)
        cutting.leave(seconds)
    return reached


def release(settings: Settings, stop: Stop) -> int:
    """Ends the cut that is in force; returns its number. Raises NoCut."""
    with Cutting(settings, stop) as cutting:
        return cutting.release_any()
