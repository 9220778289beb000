"""The headless demonstration's account: every sample, every episode, and whether both are in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from device.radio.sensor import Ledger
from device.wearer.truth import Stretch
from ingest.reader import LedgerRow
from poise.results import KIND_TEXT, Episode
from poise.skeleton import spoken


@dataclass(frozen=True, slots=True)
class Account:
    """What the sensors say they sent, beside what is stored.

    Attributes:
        sent: by sensor address, what its Bluetooth stack was given.
        rows: by sensor, what is stored or reported missing.
        episodes: found by the program.
        truth: what the simulated wearer did, for comparison.
        began_us: UTC µs of the wearer's start.
    """

    sent: Mapping[str, Ledger]
    rows: Sequence[LedgerRow]
    episodes: Sequence[Episode]
    truth: Sequence[Stretch]
    began_us: int

    @property
    def unaccounted(self) -> dict[str, int]:
        """Samples between a sensor's first and last sent that are neither stored nor reported missing.

        Negative where more was accounted for than was sent.
        """
        kept = {row.sensor: row.stored + row.missing for row in self.rows}
        spans = {
            address: ledger.last_index - ledger.first_index + 1 if ledger.handed else 0
            for address, ledger in self.sent.items()
        }
        return {address: span - kept.get(address, 0) for address, span in spans.items()}

    @property
    def sound(self) -> bool:
        """True if something was found and every sample is accounted for, once."""
        return bool(self.episodes) and not any(self.unaccounted.values())

    def show(self, console: Console) -> None:
        """Print the account."""
        self._show_samples(console)
        self._show_episodes(console)
        lost = sum(abs(n) for n in self.unaccounted.values())
        if lost:
            console.print(f"[red]{lost} samples are not accounted for.[/red]")
        if not self.episodes:
            console.print("[red]No episode was found.[/red]")
        if self.sound:
            console.print("Every sample is accounted for, once.")

    def _show_samples(self, console: Console) -> None:
        table = Table("sensor", "sent", "received", "stored", "missing", "came twice", "unaccounted")
        unaccounted = self.unaccounted
        for row in self.rows:
            sent = self.sent.get(row.sensor, Ledger()).handed
            received = row.stored + row.duplicates
            numbers = (
                sent,
                received,
                row.stored,
                row.missing,
                row.duplicates,
                unaccounted.get(row.sensor, 0),
            )
            table.add_row(spoken(row.segment), *(str(number) for number in numbers))
        totals = np.array([(r.stored + r.duplicates, r.stored, r.missing, r.duplicates) for r in self.rows])
        sums = totals.sum(axis=0) if len(totals) else np.zeros(4, int)
        everything = (sum(ledger.handed for ledger in self.sent.values()), *sums, sum(unaccounted.values()))
        table.add_row("all", *(str(int(number)) for number in everything), style="bold")
        console.print(table)

    def _show_episodes(self, console: Console) -> None:
        table = Table("found", "from", "to", "peak", "the wearer did it")
        for episode in sorted(self.episodes, key=lambda e: e.start_us):
            start, stop = ((t - self.began_us) / 1e6 for t in (episode.start_us, episode.last_us))
            same = [s for s in self.truth if s.kind == episode.kind and s.start_s < stop and s.end_s > start]
            did = " and ".join(f"{s.start_s:.1f} to {s.end_s:.1f} s" for s in same) or "no"
            end = f"{stop:.1f} s" + (" (going on)" if episode.end_us is None else "")
            table.add_row(
                KIND_TEXT[episode.kind], f"{start:.1f} s", end, f"{np.degrees(episode.peak_rad):.0f}°", did
            )
        console.print(table)
