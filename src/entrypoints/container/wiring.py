"""The use cases over a family of adapters, and the entrypoints over the use cases."""

import asyncio
import operator
import time

from dependency_injector import containers, providers

from adapters.clock import SystemClock, elapsed_s
from adapters.codecs import COUNTS, REFERENCES, USERS, todays_lists
from adapters.scheduler_metrics import SchedulerMetrics
from application.access import Access
from application.auditing import AuditHits
from application.cached_reader import CachedUserReader, UncachedUserReader
from application.cached_values import CachedValues
from application.dispatch import KeepLedger, NextDue, SendDueMessages
from application.exports import ExportUsers, WhereItIsWritten
from application.feeds import Feeds
from application.finding import FindPeople
from application.imports import ImportUsers
from application.limiting import Limiter
from application.messages import ActOnMessage, ActOnThoseInNeed, GetMessage, ListMessages, ResumeChannel
from application.occasions import ComputeTodaysList, RefreshTodaysLists, ShowTodaysList
from application.overview import LatenessOfDays, ShowOverview
from application.personal_export import ExportPerson
from application.planning import PlanAnew, PlanMessages, PlanOpenAnew
from application.retention import ForgetWhatIsOld
from application.statistics import LookAtLedger, SchedulerState, SchedulerStatistics
from application.sweeping import InvalidateAtOnce, SweepInvalidations, TidyOutbox
from application.texts import PreviewText
from application.trial import SendTrial
from application.trust import Trust
from application.undoing import UndoImport
from application.unsubscribing import LookAtLink, RevokeLinks, Unsubscribe
from application.upcoming import UpcomingMessages
from application.upcoming_of_user import UpcomingOfUser
from application.upkeep import CompareClocks, DropOldMonths
from application.users import ChangeUser, FindUserByEmail, GetUser, ListUsers, RegisterUser, RemoveUser
from application.warming import WarmNewUsers
from entrypoints.http.use_cases import UseCases as HttpUseCases
from entrypoints.scheduler.loop import Scheduler
from entrypoints.scheduler.upkeep import AccessUpkeep, CacheUpkeep, OutboxUpkeep, RetentionUpkeep
from entrypoints.settings import Settings


class Cache(containers.DeclarativeContainer):
    """What is read through the cache, and what keeps the cache true."""

    settings = providers.Dependency(instance_of=Settings)
    adapters = providers.DependenciesContainer()

    trust = providers.Singleton(Trust, adapters.invalidations, elapsed_s, adapters.metrics)
    # Those of people are joined, and bounded, where they are read.
    loads_of_people = providers.Singleton(asyncio.Semaphore, 100)
    auditor = providers.Singleton(AuditHits, settings.provided.audits_per_s, time.monotonic, adapters.metrics)
    users = providers.Singleton(CachedValues, adapters.cache, trust, USERS, adapters.metrics, loads_of_people)
    references = providers.Singleton(
        CachedValues, adapters.cache, trust, REFERENCES, adapters.metrics, adapters.loads
    )
    counts = providers.Singleton(
        CachedValues, adapters.cache, trust, COUNTS, adapters.metrics, adapters.loads
    )
    lists = providers.Singleton(
        CachedValues,
        adapters.cache,
        trust,
        providers.Singleton(todays_lists, adapters.clock),
        adapters.metrics,
        adapters.loads,
    )
    compute_list = providers.Singleton(ComputeTodaysList, adapters.message_reader, adapters.clock)
    user_reader = providers.Singleton(
        CachedUserReader, adapters.loaded_users, users, references, adapters.metrics
    )
    at_once = providers.Singleton(InvalidateAtOnce, adapters.cache, trust)
    warm = providers.Singleton(WarmNewUsers, user_reader)
    refresh_lists = providers.Singleton(RefreshTodaysLists, compute_list, lists)
    upkeep = providers.Singleton(
        CacheUpkeep,
        trust,
        at_once,
        providers.Singleton(
            SweepInvalidations, adapters.invalidations, adapters.cache, trust, adapters.metrics
        ),
        auditor,
        refresh_lists,
        adapters.clock,
        adapters.cache,
    )


class Service(containers.DeclarativeContainer):
    """The use cases over a family of adapters, and the entrypoints over the use cases."""

    settings = providers.Dependency(instance_of=Settings)
    adapters = providers.DependenciesContainer()

    policy = settings.provided.policy
    unit_of_work = adapters.unit_of_work.provider
    scheduler_unit_of_work = adapters.scheduler_unit_of_work.provider
    state = providers.Singleton(SchedulerState)
    cached = providers.Container(Cache, settings=settings, adapters=adapters)
    user_reader = providers.Selector(
        adapters.has_cache,
        yes=cached.user_reader,
        no=providers.Singleton(UncachedUserReader, adapters.user_reader),
    )
    counts = providers.Selector(adapters.has_cache, yes=cached.counts, no=providers.Object(None))
    outbox_upkeep = providers.Singleton(OutboxUpkeep, providers.Singleton(TidyOutbox, adapters.invalidations))

    plan_anew = providers.Singleton(PlanAnew, unit_of_work, policy)
    plan_messages = providers.Singleton(PlanMessages, unit_of_work, policy)
    upcoming_messages = providers.Singleton(
        UpcomingMessages, adapters.user_reader, adapters.message_reader, policy, adapters.clock
    )
    scheduler = providers.Singleton(
        Scheduler,
        plan=plan_messages,
        plan_open_anew=providers.Singleton(PlanOpenAnew, unit_of_work, plan_anew),
        drop_old_months=providers.Singleton(DropOldMonths, unit_of_work, settings.provided.retention),
        compare_clocks=providers.Singleton(CompareClocks, unit_of_work, providers.Singleton(SystemClock)),
        send_due=providers.Singleton(
            SendDueMessages,
            scheduler_unit_of_work,
            adapters.channel,
            settings.provided.retry_policy,
            settings.provided.lease,
            plan_anew,
            settings.provided.rate_per_s,
            settings.provided.burst,
            settings.provided.safety.brake,
            settings.provided.safety.allowed_domains,
            settings.provided.retries_unknown,
        ),
        keep=providers.Singleton(
            KeepLedger,
            scheduler_unit_of_work,
            adapters.channel,
            settings.provided.retry_policy,
            settings.provided.retries_unknown,
        ),
        next_due=providers.Singleton(NextDue, scheduler_unit_of_work),
        policy=policy,
        clock=adapters.clock,
        state=state,
        look_at_ledger=providers.Singleton(LookAtLedger, adapters.message_reader, adapters.clock),
        observer=providers.Singleton(
            SchedulerMetrics, adapters.metrics.provided.registry, state, adapters.clock
        ),
        refresh_lists=providers.Selector(
            adapters.has_cache, yes=cached.refresh_lists, no=providers.Object(None)
        ),
    )
    access = providers.Singleton(
        Access.over,
        adapters.api_keys,
        adapters.real_clock,
        is_required=providers.Callable(operator.not_, settings.provided.is_open),
    )
    access_upkeep = providers.Singleton(AccessUpkeep, access.provided.note_uses, adapters.answers)
    export_users = providers.Singleton(ExportUsers, adapters.export_source, policy)
    # A feed goes with a fingerprint that is read where people are written.
    export_feed = providers.Singleton(
        ExportUsers, providers.Singleton(WhereItIsWritten, adapters.user_reader), policy
    )
    retention_upkeep = providers.Singleton(
        RetentionUpkeep,
        providers.Singleton(
            ForgetWhatIsOld,
            unit_of_work,
            policy,
            settings.provided.safety.keep_audit,
            settings.provided.safety.forget_deleted,
        ),
    )
    act_on_message = providers.Singleton(ActOnMessage, unit_of_work, policy)
    http = providers.Singleton(
        HttpUseCases,
        access=access,
        limiter=providers.Singleton(Limiter, adapters.permits, settings.provided.limits, time.time),
        answers=adapters.answers,
        register_user=providers.Singleton(RegisterUser, unit_of_work, policy),
        change_user=providers.Singleton(ChangeUser, unit_of_work, policy),
        look_at_link=providers.Singleton(LookAtLink, unit_of_work, adapters.links),
        unsubscribe=providers.Singleton(Unsubscribe, unit_of_work, adapters.links, policy),
        revoke_links=providers.Singleton(RevokeLinks, unit_of_work),
        export_person=providers.Singleton(
            ExportPerson, adapters.person_reader, adapters.audit_reader, unit_of_work
        ),
        remove_user=providers.Singleton(RemoveUser, unit_of_work, policy),
        get_user=providers.Singleton(GetUser, user_reader),
        find_user_by_email=providers.Singleton(FindUserByEmail, user_reader),
        list_users=providers.Singleton(ListUsers, adapters.user_reader),
        upcoming_of_user=providers.Singleton(
            UpcomingOfUser, adapters.user_reader, adapters.message_reader, policy, adapters.clock
        ),
        import_users=providers.Singleton(ImportUsers, unit_of_work, policy),
        undo_import=providers.Singleton(UndoImport, unit_of_work, policy),
        export_users=export_users,
        feeds=providers.Singleton(Feeds, access, adapters.api_keys, adapters.user_reader, export_feed),
        todays_list=providers.Singleton(
            ShowTodaysList,
            cached.compute_list,
            providers.Selector(adapters.has_cache, yes=cached.lists, no=providers.Object(None)),
        ),
        list_messages=providers.Singleton(ListMessages, adapters.message_reader),
        get_message=providers.Singleton(GetMessage, adapters.message_reader),
        act_on_message=act_on_message,
        act_on_those_in_need=providers.Singleton(ActOnThoseInNeed, adapters.operator_reader, act_on_message),
        scheduler_statistics=providers.Singleton(SchedulerStatistics, adapters.message_reader, state, counts),
        show_overview=providers.Singleton(
            ShowOverview,
            adapters.operator_reader,
            adapters.audit_reader,
            providers.Singleton(LatenessOfDays, adapters.operator_reader),
            policy,
            adapters.clock,
            state,
            adapters.metrics,
        ),
        find_people=providers.Singleton(FindPeople, adapters.user_reader, adapters.operator_reader),
        operator_reader=adapters.operator_reader,
        audit_reader=adapters.audit_reader,
        resume_channel=providers.Singleton(ResumeChannel, unit_of_work),
        preview_text=providers.Singleton(PreviewText, adapters.texts),
        send_trial=providers.Singleton(SendTrial, adapters.channel, adapters.clock),
        message_reader=adapters.message_reader,
        scheduler_state=state,
        clock=adapters.clock,
        metrics=adapters.metrics,
        cache=providers.Selector(adapters.has_cache, yes=adapters.cache, no=providers.Object(None)),
    )
