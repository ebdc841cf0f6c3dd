// shell · SIGKILL: the process is gone at once, and its address is a black hole until it is started again.
import { endedAt, killTarget, proveKilled, startTarget } from './ended.ts';
import { nothing, targetFault } from './targets.ts';

export const kill = targetFault({
  kind: 'kill',
  title: 'SIGKILL',
  like: 'crash',
  remember: nothing,
  strike: killTarget,
  struckAt: endedAt,
  prove: proveKilled,
  mend: startTarget,
});
