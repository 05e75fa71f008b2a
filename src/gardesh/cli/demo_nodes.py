"""`gardesh demo nodes`: three nodes and three witnesses as processes of their own, each on a host of its own where that is allowed:
an import that waits for another node, a cut line, a killed node, a lying one."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gardesh import wire
from gardesh.cli import output
from gardesh.cli.demo_import import Import
from gardesh.client import Client, Token
from gardesh.hosts import ENCLOSED, Host, Network, Wire
from gardesh.model.jose import PrivateKey
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import parse
from gardesh.model.signer import Verifier
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import OnePassphrase

STORY_BROKEN = define(
    "demo-broken",
    500,
    en="The story did not go as it is told: {what}.",
    fa="داستان آن‌گونه که گفته می‌شود پیش نرفت: {what}.",
)
PASSPHRASE = secrets.token_urlsafe(16)
WISH = wire.DraftWanted(step="request", procedure="permits/request")
WITNESSES = ("state", "guild", "university")
CLIENTS, LIVES = 4, 1.5
"""How many clients submit at once, and how many seconds the node lives after they began."""


def tell(place: Path, pause: Callable[[], None]) -> None:
    """The story, in a folder that is empty. Raises `demo-broken` where it does not go as it is told."""
    with ExitStack() as stage:
        network = stage.enter_context(Network()) if ENCLOSED in os.environ else None
        Story(place, stage, pause, network).run()


class Story:
    """Who takes part: three nodes, their offices and applicants, the witnesses. `network`: where each has its own host."""

    passphrase = PASSPHRASE

    def __init__(
        self, place: Path, stage: ExitStack, pause: Callable[[], None], network: Network | None
    ) -> None:
        self.place, self.stage, self.pause, self.network = place, stage, pause, network
        self.hosts: dict[str, Host] = {}
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.urls: dict[str, str] = {}
        self.keys: dict[str, PrivateKey] = {}
        self.facts: dict[str, Any] = {}
        """What came of it, for programs."""
        self.stops: dict[str, Callable[[], None]] = {}

    def run(self) -> None:
        self.facts["hosts"] = self.network is not None
        if self.network is None:
            self.say(
                "No network namespaces here: the nodes are on three ports, and a cut line is a node that stands still.",
                "اینجا فضای‌نام شبکه نیست: گره‌ها روی سه درگاه‌اند و خط بریده، گرهی است که از کار ایستاده.",
            )
        Import(self).tell()
        self.province()
        self.killed()
        self.witnessed()
        self.forked()
        if output.as_json():
            output.emit(self.facts)
        output.say(
            "Nothing acknowledged was lost, and no node could show two histories unseen.",
            "هیچ‌چیز تأییدشده‌ای گم نشد و هیچ گرهی نتوانست بی‌آنکه دیده شود دو تاریخ نشان دهد.",
        )

    def say(self, en: str, fa: str, **values: Any) -> None:
        output.say(en, fa, **values)

    def chapter(self, en: str, fa: str) -> None:
        self.pause()
        output.say("\n[bold]" + en + "[/bold]", "\n[bold]" + fa + "[/bold]")

    def must(self, true: bool, what: str) -> None:
        must(true, what)

    # -- the chapters -------------------------------------------------------------------------------------

    def node(self, name: str, packs: tuple[Path, ...]) -> None:
        """Make a node with these packs; without, with all that ship."""
        words = [w for pack in packs for w in ("--pack", str(pack))]
        made = json.loads(self.command(name, "--json", "init", "--origin", self.origin(name), *words))
        (self.place / name / "log-keys").write_text("\n".join(made["log_keys"]), encoding="utf-8")

    def province(self) -> None:
        """A third node, for whatever people ask of their province."""
        self.chapter("A node is killed", "گرهی کشته می‌شود")
        self.command("province", "pack", "new", "permits", "--to", str(self.place))
        self.node("province", (self.place / "permits",))
        for org, role in (("sara", "applicant"), ("office", "office")):
            self.share_key(self.place / "province", org)
            self.command("province", "admit", org, "--role", role)
        self.start("province")

    def killed(self) -> None:
        """kill -9 in the middle of many submissions."""
        known: list[wire.Accepted] = []
        threads = [threading.Thread(target=self.submit, args=(known, n)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(LIVES)
        self.stops["province"]()
        for thread in threads:
            thread.join()
        must(bool(known), "nothing was acknowledged")
        self.start("province")
        with self.client("province", "sara") as sara:
            kept = sum(parse(sara.receipt(made.digest)).position == made.position for made in known)
        must(kept == len(known), f"{len(known) - kept} acknowledged documents are gone")
        found = json.loads(command(self.place / "province", "--json", "audit"))
        must(found["whole"], "the audit is not whole")
        self.facts |= {"acknowledged": len(known), "kept": kept, "audit_whole": found["whole"]}
        self.say(
            "kill -9 while {c} clients submitted: all {n} documents that were acknowledged are there, and the audit is whole.",
            "kill -9 هنگامی که {c} کارخواه می‌فرستادند: هر {n} سندی که تأیید شده بود هست و حسابرسی درست است.",
            c=CLIENTS, n=len(known),
        )  # fmt: skip

    def submit(self, known: list[wire.Accepted], number: int) -> None:
        with self.client("province", "sara") as sara:
            for n in range(10_000):
                subject = {"applicant": "0499370899", "wish": f"tree {number}/{n}"}
                try:
                    known.append(sara.issue(WISH, subject, "sara", self.key("sara")))
                except Exception:  # noqa: BLE001 the node is gone, whatever the line says of it
                    return

    def witnessed(self) -> None:
        self.chapter("Witnesses of both sides", "گواهانی از هر دو سو")
        lines = []
        for name in WITNESSES:
            home = self.place / f"witness-{name}"
            command(home, "witness", "init", "--name", f"{name}.example/witness")
            command(home, "witness", "add-log", *self.log_keys("province"))
            url = self.process(home, ("witness", "serve", "--port", "0"), "serving", f"witness-{name}")
            policy = json.loads(command(home, "--json", "witness", "key", "--url", url))["policy"]
            lines.append(policy[0].replace(f"witness {name}.example/witness ", f"witness {name} ", 1))
        self.stops["witness-university"]()
        lines += [f"group two-of-three 2 {' '.join(WITNESSES)}", "quorum two-of-three"]
        (self.place / "policy").write_text("\n".join(lines) + "\n", encoding="utf-8")
        cosign = ("--json", "log", "cosign", "--policy", str(self.place / "policy"))
        made = json.loads(command(self.place / "province", *cosign))
        must(made["satisfied"] and len(made["signed"]) == 2, "two of three witnesses are not enough")
        self.facts["cosigned_by"] = sorted(made["signed"])
        self.say(
            "The university's witness is away; {w} cosigned the checkpoint of {s} entries, and two of three are enough.",
            "گواه دانشگاه نیست؛ {w} نقطه‌ی وارسی {s} مدخل را امضا کردند و دو از سه بس است.",
            w=output.ltr(" + ".join(sorted(made["signed"]))), s=made["size"],
        )  # fmt: skip

    def forked(self) -> None:
        """Whoever runs the node restores an old copy, and writes another history."""
        self.chapter("A node that lies", "گرهی که دروغ می‌گوید")
        honest, lying = self.place / "province", self.place / "lying"
        command(honest, "backup", str(self.place / "backup"))
        command(lying, "restore", str(self.place / "backup"), "--home", str(lying))
        (lying / "log-keys").write_text((honest / "log-keys").read_text(encoding="utf-8"), encoding="utf-8")
        self.start("lying")
        for name, count in (("province", 1), ("lying", 2)):
            with self.client(name, "sara") as sara:
                for n in range(count):
                    sara.issue(
                        WISH, {"applicant": "0499370899", "wish": f"{name} {n}"}, "sara", self.key("sara")
                    )
        watch = [
            "--state",
            str(self.place / "seen.sqlite"),
            "--once",
            "--proof",
            str(self.place / "fork.json"),
        ]
        keys = [word for key in self.log_keys("province") for word in ("--log-key", key)]
        command(honest, "--json", "log", "cosign", "--policy", str(self.place / "policy"))
        command(honest, "--json", "monitor", self.urls["province"] + "/log/", *keys, *watch)
        seen = json.loads(
            command(
                lying, "--json", "monitor", self.urls["lying"] + "/log/", *keys, *watch, code=10
            ).splitlines()[-1]
        )
        cosigned = json.loads(
            command(lying, "--json", "log", "cosign", "--policy", str(self.place / "policy"), code=1)
        )
        must(not cosigned["signed"], "a witness cosigned a second history")
        command(lying, "log", "check-fork", str(self.place / "fork.json"), *keys)
        heads = [seen[side].splitlines()[:3] for side in ("first_checkpoint", "second_checkpoint")]
        self.facts["fork"] = [{"origin": o, "size": int(s), "root": r} for o, s, r in heads]
        reasons = sorted({problem["code"] for problem in cosigned["missing"].values()})
        self.say(
            "No witness cosigns it ({r}), and the monitor proves the fork by both signed heads:",
            "هیچ گواهی آن را امضا نمی‌کند ({r}) و پایشگر انشعاب را با هر دو سر امضاشده ثابت می‌کند:",
            r=output.ltr(", ".join(reasons)),
        )  # fmt: skip
        for origin, size, root in heads:
            output.say(f"  {origin}  {size}  {root}", f"  {origin}  {size}  {root}")

    # -- behind the stage ---------------------------------------------------------------------------------

    def share_key(self, home: Path, org: str) -> None:
        """The same key on both nodes: an organisation has one, however many nodes know it."""
        KeyStore(home / "keys", OnePassphrase(PASSPHRASE)).add(org, self.key(org))

    def key(self, org: str) -> PrivateKey:
        if org not in self.keys:
            self.keys[org] = KeyStore(self.place / "organisations", OnePassphrase(PASSPHRASE)).create(org)
        return self.keys[org]

    def log_keys(self, name: str) -> list[str]:
        return (self.place / name / "log-keys").read_text(encoding="utf-8").splitlines()

    def client(self, name: str, org: str) -> Client:
        keys = [Verifier.parse(key) for key in self.log_keys(name)]
        return Client(self.urls[name], Token(org, self.key(org)), policy=Policy.of_log(keys[0].name, keys))

    def origin(self, name: str) -> str:
        return f"{name}.example/log"

    def command(self, name: str, *words: str) -> str:
        """A command of ours, at that node."""
        return command(self.place / name, *words)

    def serve(self, name: str, configuration: str) -> None:
        (self.place / name / "serve.toml").write_text(configuration, encoding="utf-8")
        self.start(name)
        self.say("{n} serves at {u}, with a log of its own.", "{n} در {u} با دفتر خودش خدمت می‌دهد.",
                 n=output.ltr(name), u=output.ltr(self.urls[name]))  # fmt: skip

    def start(self, name: str) -> None:
        self.urls[name] = self.process(self.place / name, ("serve", "--port", "0"), "url", name)

    def host(self, name: str) -> Host | None:
        """The host of that name, where there are hosts."""
        if self.network is None:
            return None
        if name not in self.hosts:
            self.hosts[name] = self.network.host()
        return self.hosts[name]

    def cut(self, one: str, other: str) -> None:
        """From here on the two do not reach each other; where they have no hosts, the first stands still."""
        if self.network is not None:
            self.network.between(self.hosts[one], self.hosts[other], Wire(cut=True))
        else:
            self.processes[one].send_signal(signal.SIGSTOP)

    def mend(self, one: str, other: str) -> None:
        if self.network is not None:
            self.network.between(self.hosts[one], self.hosts[other], None)
        else:
            self.processes[one].send_signal(signal.SIGCONT)

    def process(self, home: Path, words: tuple[str, ...], member: str, name: str) -> str:
        """Start a process that tells its address first; it ends with the story, or when `stops` is called."""
        host = self.host(name)
        if host is not None:
            words = (*words, "--host", host.address)
        made = self.stage.enter_context(running(home, host, *words))
        self.stops[name], self.processes[name] = made.kill, made
        assert made.stdout is not None
        line = made.stdout.readline()
        must(bool(line), f"{name} did not start")
        return str(json.loads(line)[member])


def must(true: bool, what: str) -> None:
    if not true:
        raise Problem(STORY_BROKEN, what=what)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "GARDESH_HOME": str(home), "GARDESH_PASSPHRASE": PASSPHRASE, "GARDESH_LANG": "en"}


PROGRAM = [sys.executable, "-c", "from gardesh.cli import main; main()"]


def command(home: Path, *words: str, code: int = 0) -> str:
    """Run a command of ours to its end. Raises `demo-broken` unless it ends with that code."""
    whole = [*PROGRAM, *words]
    done = subprocess.run(whole, capture_output=True, text=True, env=environment(home), check=False)  # noqa: S603
    must(
        done.returncode == code, f"gardesh {' '.join(words[:3])}: {done.stderr[-300:] or done.stdout[-300:]}"
    )
    return done.stdout


@contextmanager
def running(home: Path, host: Host | None, *words: str) -> Iterator[subprocess.Popen[str]]:
    whole = [*PROGRAM, "--json", *words]
    made = subprocess.Popen(  # noqa: S603
        whole if host is None else host.command(whole),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(home),
    )
    try:
        yield made
    finally:
        made.kill()
        made.wait()
        if made.stdout is not None:
            made.stdout.close()
