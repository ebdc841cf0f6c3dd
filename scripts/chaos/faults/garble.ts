// shell · the server's answers are truncated or no JSON, and end the connection.
import { serverFault } from './in-server.ts';
import { paramOf } from './targets.ts';

export const garble = serverFault({
  kind: 'garble',
  title: 'garbled answers',
  like: 'broken deploy',
  on: (fault) => ({ garbleProbability: paramOf(fault, 'probability', 1) }),
  off: { garbleProbability: 0 },
});
