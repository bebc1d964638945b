"""The states of a work order and the moves between them: the only long state machine."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """工单状态."""

    POOLED = "pooled"  # 待派: no vendor named; the dispatcher may choose any
    OFFERED = "offered"  # 已派单: waits for one vendor's answer
    ACCEPTED = "accepted"  # 已接单
    ASSIGNED = "assigned"  # 已排班: a caregiver and a time
    IN_SERVICE = "in_service"  # 服务中
    DONE = "done"  # 已签退
    CONFIRMED = "confirmed"  # 已确认: the hold is captured
    DISPUTED = "disputed"  # 待核实: the hold is kept, a person decides
    SETTLED = "settled"  # 已结算
    CANCELLED = "cancelled"  # 已取消
    NO_ACCESS = "no_access"  # 无人应门
    NO_SHOW = "no_show"  # 护理员未到
    EXPIRED = "expired"  # 已过期: its day passed unserved
    INVALIDATED = "invalidated"  # 已作废: found false


MOVES: dict[State, frozenset[State]] = {
    State.POOLED: frozenset({State.OFFERED, State.CANCELLED, State.EXPIRED}),
    State.OFFERED: frozenset(
        {State.OFFERED, State.POOLED, State.ACCEPTED, State.CANCELLED, State.EXPIRED}
    ),
    State.ACCEPTED: frozenset(
        {State.ASSIGNED, State.POOLED, State.OFFERED, State.CANCELLED, State.EXPIRED}
    ),
    State.ASSIGNED: frozenset(
        {
            State.ACCEPTED,
            State.ASSIGNED,
            State.POOLED,
            State.IN_SERVICE,
            State.CANCELLED,
            State.NO_ACCESS,
            State.NO_SHOW,
            State.EXPIRED,
        }
    ),
    State.IN_SERVICE: frozenset({State.DONE, State.NO_ACCESS, State.DISPUTED}),
    State.DONE: frozenset({State.CONFIRMED, State.DISPUTED}),
    State.DISPUTED: frozenset({State.CONFIRMED, State.INVALIDATED, State.DONE}),
    State.CONFIRMED: frozenset({State.SETTLED, State.DISPUTED, State.INVALIDATED}),
    State.NO_SHOW: frozenset({State.POOLED, State.OFFERED, State.CANCELLED, State.EXPIRED}),
    State.SETTLED: frozenset({State.INVALIDATED}),
    State.CANCELLED: frozenset(),
    State.NO_ACCESS: frozenset(),
    State.EXPIRED: frozenset(),
    State.INVALIDATED: frozenset(),
}
"""Where a work order may go from each state; ``service.move`` is the only writer."""

OPEN = frozenset({State.POOLED, State.OFFERED, State.ACCEPTED, State.ASSIGNED})
"""Not begun and not ended: may still be cancelled or planned."""
