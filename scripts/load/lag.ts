// shell · by how much the timers of this process are late: what its machine, and its own work, keep from it.
import { epochMs } from '../kit/epoch.ts';

const EVERY_MS = 5;
/** Timers have whole milliseconds, and a turn of the event loop has work of its own. */
const USUAL_MS = 4;

export type LagMeter = {
  /** The lateness that has come together since the last call. */
  take(): number;
  stop(): void;
};

/** Begins at once. */
export function measureLag(): LagMeter {
  let lastMs = epochMs();
  let lateMs = 0;
  const look = (): void => {
    const nowMs = epochMs();
    const overMs = nowMs - lastMs - EVERY_MS;
    if (overMs > USUAL_MS) lateMs += overMs;
    lastMs = nowMs;
  };
  const timer = setInterval(look, EVERY_MS);
  return {
    take: () => {
      look();
      const taken = lateMs;
      lateMs = 0;
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}
