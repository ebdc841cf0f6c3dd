// pure · every criterion that a scenario can be judged by, in one place for the scenarios' table.
// Must never hold a criterion itself.

export { answeredByAnother, outByTraffic } from './caught.ts';
export type { Criterion } from './criterion.ts';
export { detection } from './detection.ts';
export { noErrors, noServerOnly } from './errors.ts';
export { evictionsAtMost, evictionsAtMostCrashes } from './eviction-rates.ts';
export { falseEvictions, noEviction } from './evictions.ts';
export { inTime } from './in-time.ts';
export { latencyOfOthers, othersUntouched } from './latency.ts';
export { DEATH_LIMIT_MS, DEATH_P95_LIMIT_MS, HANG_LIMIT_MS } from './limits.ts';
export { misrouted } from './misrouted.ts';
export { proxyKillLostInFlight, proxyStopNothingInFlightLost } from './proxy.ts';
export { proxyWhole } from './proxy-whole.ts';
export { readmission } from './readmission.ts';
export { firstOkAfter, newServersServe } from './recovery.ts';
export {
  lostBound,
  noLost,
  noStray,
  noWrong,
} from './replies.ts';
export { backInRotation } from './rotation.ts';
export { swapped } from './swapped.ts';
export { steadyControl, steadyState, tested } from './tested.ts';
