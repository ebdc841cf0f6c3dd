// Requests that have ended, for those who watch them in the keeper: a few, each standing for several.
import type { Clock } from '../../shared/clock.ts';
import { every } from '../core/timers.ts';
import type { Ending, Traffic } from '../metrics/traffic.ts';
import type { Request } from '../routing/request.ts';

const WINDOW_MS = 100;
const IN_A_WINDOW = 5;

/**
 * Hands over some of the requests that end, until the function returned is called.
 * @param tell gets an ending without what can't be handed to another thread
 */
export function sampleEndings(
  traffic: Traffic<Request>,
  clock: Clock,
  tell: (ending: Ending) => void,
): () => void {
  let told = 0;
  let standsFor = 0;
  const stopWatching = traffic.watch((ending) => {
    standsFor += 1;
    if (told >= IN_A_WINDOW) return;
    told += 1;
    tell(plain(ending, standsFor));
    standsFor = 0;
  });
  const stopCounting = every(clock, WINDOW_MS, () => {
    told = 0;
  });
  return () => {
    stopWatching();
    stopCounting();
  };
}

// A server that is named twice is one object on the other side too.
function plain({ request, server, ...rest }: Ending<Request>, standsFor: number): Ending {
  const named = new Map<object, Ending['server']>();
  const nameOf = (one: Ending['server']): Ending['server'] => {
    if (one === null) return null;
    const name = named.get(one) ?? { id: one.id };
    named.set(one, name);
    return name;
  };
  const { clientId, policy, wire, deadlineMs, attemptMs, upstream, trouble } = request;
  return {
    ...rest,
    standsFor,
    server: nameOf(server),
    request: {
      clientId,
      policy,
      wire,
      deadlineMs,
      attemptMs,
      upstream: nameOf(upstream),
      trouble: trouble && {
        firstAttemptMs: trouble.firstAttemptMs,
        exposures: trouble.exposures,
        tried: trouble.tried.map(nameOf),
      },
    },
  } as Ending;
}
