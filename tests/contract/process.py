"""What one process of the service does to the ledger, over adapters of either kind."""

from datetime import timedelta

import attrs

from application.deliveries import DeliveryChannel
from application.dispatch import DispatchReport, KeepLedger, SendDueMessages
from application.planning import PlanAnew, PlanMessages, PlanOpenAnew
from application.ports import UnitOfWorkFactory
from application.users import ChangeUser, RegisterUser, RemoveUser
from domain.due import SendPolicy
from domain.message import RetryPolicy
from tests.contract.adapters import POLICY, RETRIES

_BATCHES_MAX = 1000


@attrs.frozen(kw_only=True)
class Process:
    """Use cases as the service wires them."""

    unit_of_work: UnitOfWorkFactory
    channel: DeliveryChannel
    policy: SendPolicy = POLICY
    retry_policy: RetryPolicy = RETRIES
    lease: timedelta = timedelta(minutes=5)
    retries_unknown: bool = False

    @property
    def register(self) -> RegisterUser:
        return RegisterUser(self.unit_of_work, self.policy)

    @property
    def change(self) -> ChangeUser:
        return ChangeUser(self.unit_of_work, self.policy)

    @property
    def remove(self) -> RemoveUser:
        return RemoveUser(self.unit_of_work, self.policy)

    @property
    def plan(self) -> PlanMessages:
        return PlanMessages(self.unit_of_work, self.policy)

    @property
    def plan_open_anew(self) -> PlanOpenAnew:
        return PlanOpenAnew(self.unit_of_work, self._plan_anew)

    @property
    def send(self) -> SendDueMessages:
        return SendDueMessages(
            self.unit_of_work,
            self.channel,
            self.retry_policy,
            self.lease,
            self._plan_anew,
            retries_unknown=self.retries_unknown,
        )

    @property
    def keep(self) -> KeepLedger:
        return KeepLedger(self.unit_of_work, self.channel, self.retry_policy, self.retries_unknown)

    async def send_all(self) -> list[DispatchReport]:
        """Send batch after batch until nothing is due."""
        reports: list[DispatchReport] = []
        while not reports or reports[-1].goes_on:
            assert len(reports) < _BATCHES_MAX, "the same messages come up again and again"
            reports.append(await self.send())
        return reports

    @property
    def _plan_anew(self) -> PlanAnew:
        return PlanAnew(self.unit_of_work, self.policy)
