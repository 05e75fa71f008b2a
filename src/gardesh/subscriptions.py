"""Where organisations want their notices sent: kept beside the record, and what became of each sending."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from gardesh.access import Access
from gardesh.exchange import webhook
from gardesh.inbox import ACK_BEYOND, Inbox, newest_notice, record
from gardesh.model.calendar import iso
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.record import schema

NO_SUCH_WEBHOOK = define(
    "no-such-webhook",
    404,
    en="There is no webhook {id} of yours.",
    fa="وب‌هوک {id} از آنِ شما در اینجا نیست.",
)
WEBHOOKS_TOO_MANY = define(
    "webhooks-too-many",
    429,
    en="You have {count} webhooks, as many as are allowed.",
    fa="شما {count} وب‌هوک دارید که بیشترین شمار مجاز است.",
)
ACTIVE, PAUSED = "active", "paused"
DEAD = 3
"""After so many notices in a row that were given up, nothing more is sent until the webhook is resumed."""
COLUMNS = "id, org, url, salt, roles, created_at, acked, state, attempts, dead, next_at, said"
_WHERE = (
    "UPDATE webhooks SET acked = ?, state = ?, attempts = ?, dead = ?, next_at = ?, said = ? WHERE id = ?"
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook. `acked`: the last notice that was taken, or given up. `said`: how the last attempt went."""

    id: str
    org: str
    url: str
    salt: bytes
    roles: str | None
    created_at: int
    acked: int
    state: str
    attempts: int
    dead: int
    next_at: int
    said: str

    def told(self) -> dict[str, Any]:
        """As the API gives it; the secret is given once, when the webhook is made."""
        return {
            "id": self.id, "url": self.url, "roles": self.roles.split() if self.roles is not None else None,
            "created_at": iso(self.created_at), "acked": self.acked, "state": self.state, "attempts": self.attempts,
            "next_at": iso(self.next_at) if self.attempts else None, "said": self.said or None,
        }  # fmt: skip

    def access(self, node: Node, now: int) -> Access:
        """The view of its organisation, in the roles that it was made with."""
        return Access(node, self.org, now, frozenset(self.roles.split()) if self.roles is not None else None)


@dataclass(frozen=True, slots=True)
class Sending:
    """A notice that is to be sent now; `upto`: where the webhook stands once it is taken."""

    webhook: Webhook
    notice: dict[str, Any] | None
    upto: int
    secret: str


class Subscriptions:
    """The webhooks of one node. In the node's thread."""

    def __init__(self, node: Node) -> None:
        self.node, self.store = node, node.store

    def make(self, access: Access, url: str, roles: list[str] | None, most: int) -> tuple[Webhook, str]:
        """A new webhook, from the newest notice on, and its secret. Durable when it returns. Raises `webhooks-too-many`."""
        count = len(self.of(access.org))
        if count >= most:
            raise Problem(WEBHOOKS_TOO_MANY, count=count)
        held = " ".join(sorted(access.roles & frozenset(roles))) if roles is not None else None
        made = Webhook(
            secrets.token_hex(16), access.org, url, secrets.token_bytes(16), held, access.now,
            newest_notice(access), ACTIVE, 0, 0, access.now, "",
        )  # fmt: skip
        with self.store.writing():
            self.store.add(schema.webhooks, [tuple(getattr(made, n) for n in COLUMNS.split(", "))])
        return made, self.secret_of(made)

    def secret_of(self, hook: Webhook) -> str:
        return webhook.secret(self.node.sequencer.clock.key, hook.salt)

    def of(self, org: str) -> list[Webhook]:
        """An organisation's webhooks."""
        sql = f"SELECT {COLUMNS} FROM webhooks WHERE org = ? ORDER BY id"  # noqa: S608
        return [_read(row) for row in self.store.rows(sql, org)]

    def get(self, org: str, name: str) -> Webhook:
        """Raises `no-such-webhook`."""
        row = self.store.one(f"SELECT {COLUMNS} FROM webhooks WHERE id = ? AND org = ?", name, org)  # noqa: S608
        if row is None:
            raise Problem(NO_SUCH_WEBHOOK, id=name[:64])
        return _read(row)

    def remove(self, org: str, name: str) -> None:
        """Raises `no-such-webhook`."""
        self.get(org, name)
        with self.store.writing():
            self.store.remove(schema.webhooks, [(name,)])

    def resume(self, access: Access, name: str, after: int | None) -> Webhook:
        """Send on: from where it stopped, or again everything behind `after`. Raises `no-such-webhook`, `ack-beyond`."""
        hook = self.get(access.org, name)
        upto = hook.acked if after is None else after
        if upto > (newest := newest_notice(access)):
            raise Problem(ACK_BEYOND, given=upto, newest=newest)
        with self.store.writing():
            self.store.run(_WHERE, upto, ACTIVE, 0, 0, access.now, "", name)
        return self.get(access.org, name)

    def deliveries(
        self, org: str, name: str, limit: int, before: int | None = None
    ) -> tuple[list[dict[str, Any]], int | None]:
        """What was sent of a webhook, the newest first; and before which entry to go on, where there are more. Raises
        `no-such-webhook`."""
        self.get(org, name)
        rows = self.store.rows(
            'SELECT id, at, "first", "last", outcome FROM deliveries WHERE org = ? AND channel = ? AND id < ?'
            " ORDER BY id DESC LIMIT ?",
            org, f"webhook:{name}", (1 << 63) - 1 if before is None else before, limit + 1,
        )  # fmt: skip
        told = []
        for _, at, first, last, stored in rows[:limit]:
            outcome, _, said = stored.partition(" ")
            told.append(
                {"at": iso(at), "first": first, "last": last, "outcome": outcome, "said": said or None}
            )
        return told, rows[limit - 1][0] if len(rows) > limit else None

    # -- sending ------------------------------------------------------------------------------------------

    def due(self, now: int, busy: frozenset[str], limit: int) -> list[Sending]:
        """What is to be sent now, one notice a webhook, so that each gets its notices in order. `busy`: those that are
        being sent to. Those for which nothing is new are put off to the next notice, by `newest`.

        Only what failed waits, and no longer than one may: a later instant is of a clock that was wrong."""
        rows = self.store.rows(
            f"SELECT {COLUMNS} FROM webhooks WHERE state = ? AND (attempts = 0 OR next_at <= ? OR next_at > ?) AND acked < ?"  # noqa: S608
            " ORDER BY next_at LIMIT ?",
            ACTIVE, now, now + webhook.LONGEST, self.node.sequencer.cases.notices.next - 1, limit + len(busy),
        )  # fmt: skip
        found: list[Sending] = []
        for hook in map(_read, rows):
            if hook.id in busy or len(found) == limit:
                continue
            page = Inbox(hook.access(self.node, now)).page(hook.acked, 1)
            if page.notices:
                notice = page.notices[0]
                found.append(Sending(hook, notice, int(notice["id"]), self.secret_of(hook)))
            else:
                self._stand(hook, page.upto, now)
        return found

    def _stand(self, hook: Webhook, upto: int, now: int) -> None:
        """Nothing up to there is for this webhook."""
        with self.store.writing():
            self.store.run(_WHERE, upto, hook.state, 0, hook.dead, now, hook.said, hook.id)

    def taken(self, sent: Sending, now: int, status: int) -> None:
        """The notice was taken. On record, and durable when it returns."""
        self._after(sent, now, sent.upto, ACTIVE, 0, 0, now, f"{status}", "taken")

    def failed(self, sent: Sending, now: int, said: str, *, gone: bool = False) -> str:
        """The notice was not taken; it is tried again later, or given up, or the webhook is paused. Returns the outcome."""
        hook = sent.webhook
        attempts = hook.attempts + 1
        wait = webhook.pause(attempts)
        if gone:
            self._after(sent, now, hook.acked, PAUSED, 0, hook.dead, now, said, "gone")
            return "gone"
        if wait is not None:
            self._after(
                sent, now, hook.acked, ACTIVE, attempts, hook.dead, now + int(wait * 1000), said, "failed"
            )
            return "failed"
        dead = hook.dead + 1
        state = PAUSED if dead >= DEAD else ACTIVE
        self._after(sent, now, sent.upto, state, 0, dead, now, said, "dead")
        return "dead"

    def _after(
        self, sent: Sending, now: int, acked: int, state: str, attempts: int, dead: int, next_at: int, said: str, outcome: str
    ) -> None:  # fmt: skip
        hook = sent.webhook
        with self.store.writing():
            # Who had it sent on or again in the meantime is not overruled by what was under way.
            self.store.run(
                f"{_WHERE} AND acked = ? AND state = ? AND attempts = ? AND next_at = ?",
                acked, state, attempts, dead, next_at, said[:200], hook.id, hook.acked, hook.state, hook.attempts, hook.next_at,
            )  # fmt: skip
            record(hook.access(self.node, now), f"webhook:{hook.id}", sent.upto, sent.upto, outcome, said)


def _read(row: Any) -> Webhook:
    values = list(row)
    values[3] = bytes(values[3])
    return Webhook(*values)
