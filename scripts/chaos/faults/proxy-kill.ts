// shell · SIGKILL: what the proxy had in flight is lost; started again by heal.
import { endedAt, killTarget, proveKilled, startTarget } from './ended.ts';
import { nothing, targetFault } from './targets.ts';

export const proxyKill = targetFault({
  kind: 'proxy-kill',
  title: 'SIGKILL of the proxy',
  like: 'crash of the proxy',
  remember: nothing,
  strike: killTarget,
  struckAt: endedAt,
  prove: proveKilled,
  mend: startTarget,
});
