"""How well inclination is known: eight trials with optical ground truth, moving parts only.

Data: eight trials of BROAD (Laidig, Caruso, Cereatti, Seel 2021, CC BY 4.0), beside the project.
Ours: through `Pipeline.update` in batches of one second, angles on the 10 Hz grid, identity alignment.
Rivals: vqf alone on the same quantised samples; Madgwick and Mahony of the package `ahrs`, IMU only, with the
gains that BROAD's authors found best over all their trials (beta 0.12; Kp 0.74, Ki 0.0012). All are scored at
the same moments of the 10 Hz grid, between the two samples beside each.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from vqf import VQF

from analytics.motion.angles import unit
from analytics.motion.orientation import up_in_sensor
from analytics.pipeline import Pipeline
from poise.calibration import Alignment, Calibration, Verdict
from poise.results import GRID_US
from poise.samples import Floats, ImuBatch, Int64s, Scale, quantise, regular_times

FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "broad"
SCALE = Scale(4_788_403, 1_065_264)
START_US = 1_790_000_000_000_000
STILL = Calibration("c", 0, "identity", Verdict.GOOD, {"t4": Alignment("broad", (1.0, 0.0, 0.0, 0.0), 0.0)})
Track = tuple[Int64s, Floats]


def batch(acc: Floats, gyr: Floats, rate_hz: float) -> ImuBatch:
    """Return a trial as the sensor samples of one segment."""
    period_ns = round(1e9 / rate_hz)
    return ImuBatch(
        sensor="broad",
        segment="t4",
        first_tick=0,
        period_ns=period_ns,
        t_us=regular_times(START_US, period_ns, len(acc)),
        acc=quantise(acc, SCALE.acc_nano)[0],
        gyr=quantise(gyr, SCALE.gyr_nano)[0],
        scale=SCALE,
    )


def ours(samples: ImuBatch) -> Track:
    """Return up in the sensor frame on the 10 Hz grid, from the pipeline's angles."""
    pipeline, step = Pipeline(), round(samples.rate_hz)
    pipeline.calibrate(STILL)
    results = [pipeline.update([samples.part(i, i + step)]) for i in range(0, len(samples), step)]
    frames = [part for result in (*results, pipeline.finish()) for part in result.frames]
    sagittal = np.concatenate([part.sagittal[:, 0] for part in frames])
    frontal = np.concatenate([part.frontal[:, 0] for part in frames])
    up = (-np.sin(sagittal) * np.cos(frontal), np.sin(frontal), np.cos(sagittal) * np.cos(frontal))
    return np.concatenate([part.t_us for part in frames]), np.stack(up, axis=1)


def on_grid(samples: ImuBatch, quat: Floats) -> Track:
    """Return up on the 10 Hz grid for a filter's quaternions (earth from sensor)."""
    first, last = (-(-int(samples.t_us[0]) // GRID_US), int(samples.t_us[-1]) // GRID_US)
    t_us = np.arange(first, last + 1, dtype=np.int64) * GRID_US
    right = np.clip(np.searchsorted(samples.t_us, t_us), 1, len(samples) - 1)
    share = ((t_us - samples.t_us[right - 1]) / (samples.t_us[right] - samples.t_us[right - 1]))[:, None]
    up = up_in_sensor(quat)
    return t_us, unit(up[right - 1] + share * (up[right] - up[right - 1]))


def bare_vqf(samples: ImuBatch) -> Track:
    """Run vqf alone."""
    quat = VQF(samples.period_ns * 1e-9).updateBatch(samples.gyr_si.copy(), samples.acc_si.copy())["quat6D"]
    return on_grid(samples, quat)


def madgwick(samples: ImuBatch) -> Track:
    """Run Madgwick's filter; ahrs gives sensor from earth turned the other way round."""
    from ahrs.filters import Madgwick

    found = Madgwick(gyr=samples.gyr_si, acc=samples.acc_si, frequency=samples.rate_hz, gain_imu=0.12)
    return on_grid(samples, found.Q)


def mahony(samples: ImuBatch) -> Track:
    """Run Mahony's filter."""
    from ahrs.filters import Mahony

    found = Mahony(gyr=samples.gyr_si, acc=samples.acc_si, frequency=samples.rate_hz, k_P=0.74, k_I=0.0012)
    return on_grid(samples, found.Q)


def at(track: Track, t_us: Int64s) -> Track:
    """Return a track at the moments `t_us` alone, all of which it has."""
    kept = np.isin(track[0], t_us)
    return track[0][kept], track[1][kept]


def error_deg(track: Track, truth: Floats, t_us: Int64s, moving: Floats) -> float:
    """Return the RMS angle between found and true up over the moving part, in degrees."""
    right = np.clip(np.searchsorted(t_us, track[0]), 1, len(t_us) - 1)
    share = ((track[0] - t_us[right - 1]) / (t_us[right] - t_us[right - 1]))[:, None]
    up = up_in_sensor(truth)
    true = unit(up[right - 1] + share * (up[right] - up[right - 1]))
    cosine = np.clip((track[1] * true).sum(axis=1), -1, 1)
    scored = moving[right] & np.isfinite(cosine)
    return float(np.degrees(np.sqrt(np.mean(np.arccos(cosine[scored]) ** 2))))


FILTERS: dict[str, Callable[[ImuBatch], Track]] = {
    "Poise": ours,
    "bare VQF": bare_vqf,
    "Madgwick": madgwick,
    "Mahony": mahony,
}


def main() -> None:
    """Print a row a trial and the means."""
    files = sorted(FOLDER.glob("*.npz"))
    if not files:
        print("left out: the BROAD trials are not beside the project (shared/data/broad)")
        return
    print(f"{'inclination RMSE, degrees':44}" + "".join(f"{name:>10}" for name in FILTERS))
    rows = []
    for file in files:
        with np.load(file) as data:
            rate = float(data["sampling_rate"])
            samples = batch(data["imu_acc"].astype(float), data["imu_gyr"].astype(float), rate)
            truth, moving = data["opt_quat"].astype(float), data["movement"].astype(bool)
        tracks = [run(samples) for run in FILTERS.values()]
        rows.append([error_deg(at(track, tracks[0][0]), truth, samples.t_us, moving) for track in tracks])
        print(f"{file.stem:44}" + "".join(f"{value:10.2f}" for value in rows[-1]))
    print(f"{'mean':44}" + "".join(f"{value:10.2f}" for value in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
