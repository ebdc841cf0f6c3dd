// shell · SIGTERM: the proxy finishes what it has; started again by heal.
import { proveStopped, startTarget, stopTarget } from './ended.ts';
import { nothing, targetFault } from './targets.ts';

export const proxyStop = targetFault({
  kind: 'proxy-stop',
  title: 'SIGTERM of the proxy, SIGKILL after 10 s',
  like: 'deploy of the proxy',
  remember: nothing,
  strike: stopTarget,
  prove: proveStopped,
  mend: startTarget,
});
