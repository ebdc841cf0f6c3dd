// shell · every answer of the server comes late; probes too.
import { serverFault } from './in-server.ts';
import { paramOf } from './targets.ts';

export const slow = serverFault({
  kind: 'slow',
  title: 'every answer late',
  like: 'gray failure',
  on: (fault) => ({ delayMs: paramOf(fault, 'delayMs', 200) }),
  off: { delayMs: 0 },
});
