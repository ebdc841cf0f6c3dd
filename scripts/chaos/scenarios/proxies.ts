// pure · scenarios with three proxies, all of which the clients know: one is always there, and nothing may be lost.
import {
  anotherAnswers,
  proxyKillLostInFlight,
  proxyStopNothingInFlightLost,
  proxyWhole,
} from '../judge/proxy.ts';
import type { FaultKind } from '../plan.ts';
import type { Scenario } from './scenario.ts';

const COUNT = 3;
/** A proxy is back, with all servers, before the next one goes. */
const EVERY_MS = 8_000;
// Clients try those that were away again up to 8 s after they have failed.
const QUIET_MS = 12_000;

export const PROXIES: readonly Scenario[] = [
  {
    name: 'proxies-kill',
    title: 'three proxies, SIGKILL of one after the other',
    phases: { faultsMs: COUNT * EVERY_MS, quietMs: QUIET_MS },
    proxies: COUNT,
    draft: onEachProxy('proxy-kill', 3_000),
    criteria: () => [anotherAnswers, proxyKillLostInFlight, proxyWhole],
  },
  {
    name: 'proxies-restart',
    title: 'three proxies, each restarted in turn, with SIGTERM and grace: a rolling upgrade',
    phases: { faultsMs: COUNT * EVERY_MS, quietMs: QUIET_MS },
    proxies: COUNT,
    draft: onEachProxy('proxy-stop', 4_000),
    criteria: () => [anotherAnswers, proxyStopNothingInFlightLost, proxyWhole],
  },
  {
    name: 'proxies-scale',
    title: 'three proxies become one, and three again',
    phases: { faultsMs: 12_000, quietMs: QUIET_MS },
    proxies: COUNT,
    draft: (draft) => {
      const atMs = draft.random.between(0, 1_000);
      draft.add({ kind: 'scale', targets: 'proxy', atMs, forMs: 8_000, params: { replicas: 1 } });
    },
    criteria: () => [anotherAnswers],
  },
];

function onEachProxy(kind: FaultKind, forMs: number): Scenario['draft'] {
  return (draft) => {
    const numbers = draft.random.shuffle(Array.from({ length: COUNT }, (_, index) => index + 1));
    numbers.forEach((number, index) => {
      const atMs = index * EVERY_MS + draft.random.between(0, 500);
      draft.add({ kind, targets: `proxy-${number}`, atMs, forMs });
    });
  };
}
