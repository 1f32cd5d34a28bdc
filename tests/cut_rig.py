"""A replicated bank, cut and compared with the source's log."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bank import SUM, Bank, Log, money
from fix_pipeline import Replica
from mysync_consumer.cutcommand import Cutting, Reached
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.workload.writers import Writers
from mysync_runtime.lifecycle import Stop
from mysync_runtime.loading import load

PATIENCE = 60


class Banked:
    """A replicated bank, and cuts of it."""

    def __init__(self, replica: Replica, huge: float = 0.0) -> None:
        self.replica = replica
        self._bank = Bank(replica.db, huge=huge)
        replica.create(*self._bank.tables())
        replica.on(replica.target, *self._bank.accounts())
        self.log = Log(replica.source, replica.db)

    def writers(self, seed: str, rate: float = 150) -> Writers:
        return self.replica.writers(self._bank, seed=seed, threads=3, rate=rate)

    @contextmanager
    def cut(self, seconds: float = PATIENCE) -> Iterator[Reached]:
        """All stand meanwhile."""
        with Cutting(load(self.replica.pipeline.config, role="consumer"), Stop()) as cutting:
            cutting.ask()
            yield cutting.reach(seconds)
            cutting.release()

    @contextmanager
    def cut_or_kill(self, victim: Service, point: str) -> Iterator[Reached]:
        """As `cut`, with a consumer that dies while it begins to stand, and is started again."""
        with Cutting(load(self.replica.pipeline.config, role="consumer"), Stop()) as cutting:
            cutting.ask()
            if point == "cut.standing":
                assert victim.wait_exit(PATIENCE) == -signal.SIGKILL
                victim.start()
            yield cutting.reach(PATIENCE)
            cutting.release()

    def check(self, file: str, pos: int) -> int:
        """Demands that the target is as the source was there; returns its transactions."""
        total, transactions = money(self.replica.target, self.replica.db)
        assert total == SUM
        assert transactions == self.log.transactions(file, pos)
        return transactions

    def applied(self) -> int:
        return money(self.replica.target, self.replica.db)[1]

    def goes_on(self, service: Service) -> None:
        before = self.applied()
        wait_until(lambda: self.applied() > before, f"more rows\n{service.log_tail()}", PATIENCE)

    def standing(self) -> int:
        found = self.status()["cut"]
        return len(found["standing"]) if found else -1

    def status(self) -> dict[str, Any]:
        code, out, err = self.replica.pipeline.run("mysync-consumer", "status", "--json")
        assert code == 0, err
        return dict(json.loads(out))
