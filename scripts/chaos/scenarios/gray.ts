// pure · scenarios of gray failure: servers that answer, but slowly, wrongly, in part or in rubbish.
import {
  answeredByAnother,
  detection,
  HANG_LIMIT_MS,
  latencyOfOthers,
  noErrors,
  outByTraffic,
} from '../judge/criteria.ts';
import { type Scenario, WITH_FAULTS } from './scenario.ts';

/** At 80 requests a second, one in twenty is a lie: two of them come within some five seconds. */
const LIAR_OUT_MS = 5_000;

export const GRAY: readonly Scenario[] = [
  {
    name: 'slow',
    title: 'one server answers 200 ms late',
    passes: 'no error; p99 of all others at most 1.5 times that of the control phase, or 10 ms above it',
    phases: { faultsMs: 12_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      draft.add({
        kind: 'slow',
        targets: draft.anyServer(),
        atMs: 0,
        forMs: draft.lengthMs - 1_000,
        params: { delayMs: 200 },
      });
    },
    criteria: () => [noErrors(), latencyOfOthers()],
  },
  {
    name: 'throttle',
    title: 'one server has 5 % of a processor and burns 5 ms of it for each request',
    passes: 'no error',
    phases: { faultsMs: 12_000, quietMs: 8_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      const params = { burnMs: 5, cpuPercent: 5 };
      draft.add({ kind: 'burn', targets: draft.anyServer(), atMs: 0, forMs: 8_000, params });
    },
    criteria: () => [noErrors()],
  },
  {
    name: 'lie',
    title: 'one server gives a wrong digest in 5 % of its answers; the proxy verifies them',
    passes: 'taken out of the rotation; no wrong answer reaches a client',
    phases: { faultsMs: 12_000, quietMs: 10_000 },
    settings: { ...WITH_FAULTS, PROXY_VERIFY_ANSWERS: '1' },
    draft: (draft) => {
      const params = { probability: 0.05 };
      draft.add({ kind: 'lie', targets: draft.anyServer(), atMs: 0, forMs: 8_000, params });
    },
    criteria: () => [noErrors(), detection({ kinds: ['lie'], maxMs: LIAR_OUT_MS })],
  },
  {
    name: 'mute',
    title: 'one server answers probes and no real request',
    passes: 'out of the rotation within five further requests once the first has failed; no error',
    phases: { faultsMs: 8_000, quietMs: 10_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      draft.add({ kind: 'mute', targets: draft.anyServer(), atMs: 0, forMs: 5_000 });
    },
    criteria: () => [noErrors(), outByTraffic()],
  },
  {
    name: 'garble',
    title: 'one server answers with truncated packets or rubbish, and hangs up',
    passes: 'answered by another server; evicted',
    phases: { faultsMs: 10_000, quietMs: 6_000 },
    settings: WITH_FAULTS,
    draft: (draft) => {
      const params = { probability: 1 };
      draft.add({ kind: 'garble', targets: draft.anyServer(), atMs: 0, forMs: 5_000, params });
    },
    criteria: () => [
      noErrors(),
      answeredByAnother({ kinds: ['garble'] }),
      detection({ kinds: ['garble'], maxMs: HANG_LIMIT_MS }),
    ],
  },
];
