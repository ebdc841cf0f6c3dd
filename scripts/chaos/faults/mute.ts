// shell · the server takes requests and never answers them; probes it does answer.
import { serverFault } from './in-server.ts';

export const mute = serverFault({
  kind: 'mute',
  title: 'no answer to requests, probes answered',
  like: 'gray failure that probes miss',
  on: () => ({ isMute: true }),
  off: { isMute: false },
});
