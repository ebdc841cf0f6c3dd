// What a health probe is on the wire, for the proxy that sends it and for what has to tell it from real requests.
import type { Id } from './packet.ts';

/** The `srcid` of probes. */
export const HEALTH_CLIENT_ID = 'health';

/** The `srcid` of probes of servers that have never asked for a session: some of these do arithmetic with it. */
export const OLD_HEALTH_CLIENT_ID = 0;

export const PROBE_PAYLOAD = 'Are you healthy?';

export function isHealthProbe({ clientId, payload }: { clientId: Id; payload: string }): boolean {
  return (
    clientId === HEALTH_CLIENT_ID ||
    (String(clientId) === `${OLD_HEALTH_CLIENT_ID}` && payload === PROBE_PAYLOAD)
  );
}
