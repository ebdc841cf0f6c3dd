// shell · SIGTERM: it says good-bye and finishes what it has; started again by heal.
import { proveStopped, startTarget, stopTarget } from './ended.ts';
import { nothing, targetFault } from './targets.ts';

export const stop = targetFault({
  kind: 'stop',
  title: 'SIGTERM, SIGKILL after 10 s',
  like: 'deploy',
  remember: nothing,
  strike: stopTarget,
  prove: proveStopped,
  mend: startTarget,
});
