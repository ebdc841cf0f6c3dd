// shell · some of the server's answers carry the digest of something else.
import { serverFault } from './in-server.ts';
import { paramOf } from './targets.ts';

export const lie = serverFault({
  kind: 'lie',
  title: 'wrong digests',
  like: 'corruption',
  on: (fault) => ({ lieProbability: paramOf(fault, 'probability', 0.05) }),
  off: { lieProbability: 0 },
});
