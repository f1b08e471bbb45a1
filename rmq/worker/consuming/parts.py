"""Parts: what the work on one queue is made of. Who works on its messages takes from it what that
needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rmq.worker.consuming.acknowledger import Acknowledger
from rmq.worker.consuming.admission import Admission
from rmq.worker.consuming.crew import Crew
from rmq.worker.consuming.failing import Failing
from rmq.worker.consuming.hand import Hand
from rmq.worker.consuming.invoker import Invoker
from rmq.worker.consuming.receiver import Receiver
from rmq.worker.consuming.returns import Returns
from rmq.worker.consuming.slots import Slots
from rmq.worker.consuming.tally import Tally
from rmq.worker.handler import Intake

if TYPE_CHECKING:
    from rmq.worker.worker import Worker


@dataclass(frozen=True, slots=True)
class Parts:
    """Those of one queue."""

    worker: Worker
    intake: Intake
    hand: Hand
    tally: Tally
    slots: Slots
    crew: Crew
    returns: Returns
    receiver: Receiver
    invoker: Invoker
    acknowledger: Acknowledger
    failing: Failing
    admission: Admission

    @classmethod
    def of(cls, worker: Worker, intake: Intake) -> Parts:
        """Make those of a queue."""
        options, tally = intake.options, Tally()
        hand, slots = Hand(options.queue, worker.box, worker.gate), Slots(worker, options)
        returns = Returns(worker, options, hand, tally)
        failing = Failing(worker, options, hand, tally)
        return cls(
            worker=worker,
            intake=intake,
            hand=hand,
            tally=tally,
            slots=slots,
            crew=Crew(),
            returns=returns,
            receiver=Receiver(worker, options, hand, slots, returns),
            invoker=Invoker(worker, options, hand),
            acknowledger=Acknowledger(worker, options.queue, hand),
            failing=failing,
            admission=Admission(worker, options, failing, returns),
        )
