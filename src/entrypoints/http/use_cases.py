"""What the API calls; the container fills it."""

import attrs

from application.access import Access
from application.access_ports import Answers
from application.cache_ports import CachePort
from application.exports import ExportUsers
from application.feeds import Feeds
from application.finding import FindPeople
from application.imports import ImportUsers
from application.limiting import Limiter
from application.messages import ActOnMessage, ActOnThoseInNeed, GetMessage, ListMessages, ResumeChannel
from application.observing import Metrics
from application.occasions import ShowTodaysList
from application.operator_ports import OperatorReader
from application.overview import ShowOverview
from application.ports import Clock, MessageReader
from application.statistics import SchedulerState, SchedulerStatistics
from application.texts import PreviewText
from application.trial import SendTrial
from application.undoing import UndoImport
from application.users import (
    ChangeUser,
    FindUserByEmail,
    GetUser,
    ListUsers,
    RegisterUser,
    RemoveUser,
    UpcomingOfUser,
)
from entrypoints.http.leaving import Leaving


@attrs.frozen(kw_only=True)
class UseCases:
    """The use cases of the API, and what its health is known by."""

    access: Access
    limiter: Limiter
    answers: Answers
    register_user: RegisterUser
    change_user: ChangeUser
    remove_user: RemoveUser
    get_user: GetUser
    find_user_by_email: FindUserByEmail
    list_users: ListUsers
    upcoming_of_user: UpcomingOfUser
    import_users: ImportUsers
    undo_import: UndoImport
    export_users: ExportUsers
    feeds: Feeds
    todays_list: ShowTodaysList
    list_messages: ListMessages
    get_message: GetMessage
    act_on_message: ActOnMessage
    scheduler_statistics: SchedulerStatistics
    preview_text: PreviewText
    send_trial: SendTrial
    message_reader: MessageReader
    show_overview: ShowOverview
    find_people: FindPeople
    operator_reader: OperatorReader
    resume_channel: ResumeChannel
    act_on_those_in_need: ActOnThoseInNeed
    scheduler_state: SchedulerState
    clock: Clock
    metrics: Metrics
    cache: CachePort | None = None
    leaving: Leaving = attrs.field(factory=Leaving)
